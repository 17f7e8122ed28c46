import asyncio
from typing import Any

from pymesh.protojson import Reader
from pymesh.proxy.downstream.connection_info import ConnectionInfo
from pymesh.proxy.downstream.network_rbac import NetworkGate
from pymesh.proxy.downstream.network_rbac_config import decode_network_rbac
from pymesh.proxy.telemetry.direction import INBOUND
from pymesh.proxy.telemetry.metric_names import (
    TCP_RBAC_ALLOWED,
    TCP_RBAC_DENIED,
    TCP_RBAC_SHADOW_ALLOWED,
    TCP_RBAC_SHADOW_DENIED,
)
from pymesh.proxy.tls.peer_identity import PeerIdentity

WEB = PeerIdentity(("spiffe://cluster.local/ns/default/sa/web",), (), "", "")
RULES = {
    "action": "ALLOW",
    "policies": {
        "policy[web]": {
            "permissions": [{"any": True}],
            "principals": [{"authenticated": {"principal_name": {"suffix": "/sa/web"}}}],
        }
    },
}


def make_gate(proxy: Any) -> NetworkGate:
    config = decode_network_rbac(Reader({"rules": RULES, "stat_prefix": "tcp."}))
    return NetworkGate((config,), proxy.context, lambda info: proxy.context.telemetry.on_tcp_close(info, INBOUND))


def unexpected(info: ConnectionInfo) -> asyncio.Protocol:
    raise AssertionError("the connection went on")


async def test_a_denied_connection_is_closed_logged_and_counted(proxy: Any) -> None:
    closed: list[bool] = []
    records: list[Any] = []
    proxy.context.telemetry.on_tcp_close = lambda info, direction: records.append(info)
    info = ConnectionInfo("listener", "10.0.0.1:80", "10.0.0.9:5000", 0.0, lambda: closed.append(True))
    denied = make_gate(proxy).judge(info, unexpected)
    assert isinstance(denied, asyncio.Protocol)
    from_client = FakeTransport()
    denied.connection_made(from_client)  # type: ignore[arg-type]
    assert from_client.is_closed
    denied.connection_lost(None)
    assert closed == [True]
    assert records[0].connection_termination_details == "rbac_access_denied_matched_policy[none]"
    assert proxy.context.telemetry.metrics.counter(TCP_RBAC_DENIED).value == 1


async def test_an_allowed_connection_goes_on(proxy: Any) -> None:
    info = ConnectionInfo("listener", "10.0.0.1:80", "10.0.0.9:5000", 0.0)
    info.peer = WEB
    protocol = asyncio.Protocol()
    assert make_gate(proxy).judge(info, lambda info: protocol) is protocol
    assert proxy.context.telemetry.metrics.counter(TCP_RBAC_ALLOWED).value == 1


async def test_a_tried_policy_only_counts(proxy: Any) -> None:
    config = decode_network_rbac(Reader({"shadow_rules": RULES, "shadow_rules_stat_prefix": "istio_dry_run_allow_"}))
    gate = NetworkGate((config,), proxy.context, lambda info: None)
    info = ConnectionInfo("listener", "10.0.0.1:80", "10.0.0.9:5000", 0.0)
    protocol = asyncio.Protocol()
    assert gate.judge(info, lambda info: protocol) is protocol
    info.peer = WEB
    assert gate.judge(info, lambda info: protocol) is protocol
    counter = proxy.context.telemetry.metrics.counter
    assert (counter(TCP_RBAC_SHADOW_ALLOWED).value, counter(TCP_RBAC_SHADOW_DENIED).value) == (1, 1)


class FakeTransport:
    is_closed = False

    def close(self) -> None:
        self.is_closed = True
