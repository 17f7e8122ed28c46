"""TCP connections that wait for an external authorizer, which is a real one."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from envoy.service.auth.v3 import external_auth_pb2 as auth
from proxy.grpc_authorizer import Authorizer

from pymesh.protojson import Reader
from pymesh.proxy.downstream.connection_info import ConnectionInfo
from pymesh.proxy.downstream.network_ext_authz_config import decode_network_ext_authz
from pymesh.proxy.downstream.network_rbac import NetworkGate
from pymesh.proxy.downstream.network_rbac_config import decode_network_rbac
from pymesh.proxy.telemetry.metric_names import EXT_AUTHZ_ALLOWED, EXT_AUTHZ_DENIED, EXT_AUTHZ_ERROR
from pymesh.proxy.tls.peer_identity import PeerIdentity
from pymesh.proxy.upstream.http2_options import UpstreamProtocol
from pymesh.proxy.upstream.transport import connect

WEB = PeerIdentity(("spiffe://cluster.local/ns/default/sa/web",), (), "", "")
ANY = [{"any": True}]
SHADOW = {
    "shadow_rules": {"action": "DENY", "policies": {"ask-me": {"permissions": ANY, "principals": ANY}}},
    "shadow_rules_stat_prefix": "istio_",
    "stat_prefix": "tcp.",
}
EXT_AUTHZ = {
    "stat_prefix": "tcp.",
    "transport_api_version": "V3",
    "grpc_service": {"envoy_grpc": {"cluster_name": "authz", "authority": "authz.example"}, "timeout": "5s"},
}


def enabled(prefix: str) -> dict[str, Any]:
    path = [{"key": "istio_shadow_effective_policy_id"}]
    value = {"string_match": {"prefix": prefix}}
    return {"filter_enabled_metadata": {"filter": "envoy.filters.network.rbac", "path": path, "value": value}}


class Client:
    """A transport whose other end is silent."""

    def __init__(self) -> None:
        self.protocol: Any = None
        self.is_reading = True
        self.is_done = asyncio.Event()  # it went on, or was closed
        self.is_closed = False

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol
        self.is_done.set()

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True
        self.is_done.set()


@pytest.fixture
async def authorizer(proxy: Any) -> AsyncIterator[Authorizer]:
    authorizer = Authorizer()
    await authorizer.start()
    proxy.context.connect = connect
    proxy.add_cluster("authz", f"127.0.0.1:{authorizer.port}", protocol=UpstreamProtocol.HTTP2, connect_timeout=5.0)
    yield authorizer
    await authorizer.stop()


async def arrive(proxy: Any, records: list[Any], **config: Any) -> tuple[Client, Any]:
    """A client, once its fate is known, and the protocol that it has then."""
    tried = {**SHADOW, "shadow_rules_stat_prefix": "istio_dry_run_deny_"}  # of another policy, which decides nothing
    roles = (decode_network_rbac(Reader(shadow)) for shadow in (SHADOW, tried))
    gates = (*roles, decode_network_ext_authz(Reader({**EXT_AUTHZ, **config})))
    gate = NetworkGate(gates, proxy.context, records.append)
    info = ConnectionInfo("listener", "10.0.0.1:80", "10.0.0.9:5000", 0.0)
    info.peer, info.is_tls = WEB, True
    passed = asyncio.Protocol()
    client = Client()
    client.protocol = gate.judge(info, lambda info: passed)
    client.protocol.connection_made(client)
    if client.protocol is passed:
        return client, None
    assert not client.is_reading
    async with asyncio.timeout(10):
        await client.is_done.wait()
    if client.is_closed:
        client.protocol.connection_lost(None)
    return client, passed


def count(proxy: Any, metric: Any) -> Any:
    return proxy.context.telemetry.metrics.counter(metric).value


async def test_a_connection_goes_on_when_the_authorizer_allows_it(proxy: Any, authorizer: Authorizer) -> None:
    client, passed = await arrive(proxy, [])
    assert client.protocol is passed
    assert client.is_reading
    attributes = authorizer.questions[0].attributes
    assert attributes.source.principal == "spiffe://cluster.local/ns/default/sa/web"
    assert attributes.source.address.socket_address.port_value == 5000
    assert not attributes.HasField("request")
    assert count(proxy, EXT_AUTHZ_ALLOWED) == 1


async def test_a_connection_that_is_refused_ends(proxy: Any, authorizer: Authorizer) -> None:
    def deny(question: Any) -> Any:
        response = auth.CheckResponse()
        response.status.code = 7
        return response

    authorizer.answer = deny
    records: list[Any] = []
    client, _ = await arrive(proxy, records)
    assert client.is_closed
    assert records[0].connection_termination_details == "ext_authz_denied"
    assert count(proxy, EXT_AUTHZ_DENIED) == 1


@pytest.mark.parametrize(("config", "is_closed"), [({}, True), ({"failure_mode_allow": True}, False)])
async def test_without_an_answer_the_configuration_decides(
    proxy: Any, authorizer: Authorizer, config: dict[str, Any], is_closed: bool
) -> None:
    authorizer.answer = lambda question: grpc.StatusCode.INTERNAL
    client, _ = await arrive(proxy, [], **config)
    assert client.is_closed is is_closed
    assert count(proxy, EXT_AUTHZ_ERROR) == 1


@pytest.mark.parametrize(("prefix", "questions"), [("ask-", 1), ("another-", 0)])
async def test_only_connections_that_the_shadow_rules_find_are_asked_of(
    proxy: Any, authorizer: Authorizer, prefix: str, questions: int
) -> None:
    client, _ = await arrive(proxy, [], **enabled(prefix))
    assert not client.is_closed
    assert len(authorizer.questions) == questions
