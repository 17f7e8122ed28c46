"""Access control of TCP connections: by roles, and by an external authorizer for those that shadow rules find.

https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/network_filters/rbac_filter
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.downstream.connection_info import ConnectionInfo
from pymesh.proxy.downstream.context import ProxyContext
from pymesh.proxy.downstream.network_ext_authz import AskingConnection, NetworkAuthorizer
from pymesh.proxy.downstream.network_filter_config import GateConfig
from pymesh.proxy.downstream.network_rbac_config import NetworkRbacConfig
from pymesh.proxy.http_filters.ext_authz_config import ExtAuthzConfig
from pymesh.proxy.rbac_engine.engine import RbacEngine, response_details
from pymesh.proxy.telemetry.metric_names import (
    TCP_RBAC_ALLOWED,
    TCP_RBAC_DENIED,
    TCP_RBAC_SHADOW_ALLOWED,
    TCP_RBAC_SHADOW_DENIED,
)
from pymesh.proxy.telemetry.stream_info import NO_METADATA, StreamInfo
from pymesh.proxy.tls.peer_identity import PeerIdentity

NAME = "envoy.filters.network.rbac"  # of its dynamic metadata


class TcpCall:
    """A TCP connection as the RBAC engine sees it."""

    __slots__ = (
        *("direct_remote_address", "dynamic_metadata", "is_tls", "local_address", "peer", "remote_address"),
        "requested_server_name",
    )

    authority = path = method = scheme = b""
    headers = HeaderMap()

    def __init__(self, info: ConnectionInfo) -> None:
        self.direct_remote_address = self.remote_address = info.remote_address
        self.local_address = info.local_address
        self.is_tls = info.is_tls
        self.peer: PeerIdentity | None = info.peer
        self.requested_server_name = info.sni
        self.dynamic_metadata: Mapping[str, Any] = NO_METADATA


class NetworkGate:
    """The filters of one filter chain that refuse connections.

    Unlike Envoy, which waits for the client's first bytes, it decides at once, so that nobody who is denied hears what
    a server says first.
    """

    def __init__(
        self, configs: tuple[GateConfig, ...], context: ProxyContext, on_refused: Callable[[StreamInfo], None]
    ) -> None:
        roles = [config for config in configs if isinstance(config, NetworkRbacConfig)]
        self._engines = tuple(RbacEngine(config.rules) for config in roles if config.rules is not None)
        self._shadows = tuple(
            (RbacEngine(config.shadow_rules), config.shadow_prefix)
            for config in roles
            if config.shadow_rules is not None
        )
        asked = [config for config in configs if isinstance(config, ExtAuthzConfig)]
        self._authorizers = tuple(NetworkAuthorizer(config, context) for config in asked)
        self._tell_refused = on_refused
        counter = context.telemetry.metrics.counter
        self._allowed, self._denied = counter(TCP_RBAC_ALLOWED), counter(TCP_RBAC_DENIED)
        self._shadow_allowed, self._shadow_denied = counter(TCP_RBAC_SHADOW_ALLOWED), counter(TCP_RBAC_SHADOW_DENIED)

    def judge(
        self, info: ConnectionInfo, new_connection: Callable[[ConnectionInfo], asyncio.Protocol]
    ) -> asyncio.Protocol:
        """What ends the connection; or what lets it go on, now or when somebody has been asked."""
        call = TcpCall(info)
        self._judge_shadows(call)
        for engine in self._engines:
            verdict = engine.judge(call)
            if not verdict.is_allowed:
                self._denied.value += 1
                return self._refuse(info, response_details(verdict.policy))
        self._allowed.value += 1
        for authorizer in self._authorizers:  # there is one at most: Istio denies what two are to be asked of
            if authorizer.is_asked(call):
                return AskingConnection(info, call, authorizer, new_connection, self._on_refused_answer)
        return new_connection(info)

    def _judge_shadows(self, call: TcpCall) -> None:
        found: dict[str, str] = {}
        for shadow, prefix in self._shadows:
            verdict = shadow.judge(call)
            (self._shadow_allowed if verdict.is_allowed else self._shadow_denied).value += 1
            if verdict.policy:
                found[f"{prefix}shadow_effective_policy_id"] = verdict.policy
        if found:
            call.dynamic_metadata = {NAME: found}

    def _refuse(self, info: ConnectionInfo, details: str) -> asyncio.Protocol:
        record = _record(info, details)
        return _DeniedConnection(info, lambda: self._on_refused(record))

    def _on_refused_answer(self, info: ConnectionInfo, details: str) -> None:
        self._on_refused(_record(info, details))

    def _on_refused(self, record: StreamInfo) -> None:
        record.end = time.monotonic()
        self._tell_refused(record)


def _record(info: ConnectionInfo, details: str) -> StreamInfo:
    record = StreamInfo(info.start, time.time())
    record.downstream_local_address = info.local_address
    record.downstream_remote_address = info.remote_address
    record.requested_server_name = info.sni
    record.downstream_principal = info.peer.principal if info.peer is not None else ""
    record.connection_termination_details = details
    return record


class _DeniedConnection(asyncio.Protocol):
    def __init__(self, info: ConnectionInfo, on_refused: Callable[[], None]) -> None:
        self._info = info
        self._on_refused = on_refused

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        self._on_refused()
        self._info.on_close()
