"""Asks an external authorizer whether a TCP connection may pass. Nothing of it is read meanwhile.

Envoy asks when the client has said something; here it is asked at once, as for the rules of RBAC.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from pymesh.proxy.downstream.connection_info import ConnectionInfo
from pymesh.proxy.downstream.context import ProxyContext
from pymesh.proxy.http_filters.authorization_verdict import Permit, Verdict
from pymesh.proxy.http_filters.ext_authz_config import ExtAuthzConfig
from pymesh.proxy.matchers.metadata_matcher import compile_metadata_matcher
from pymesh.proxy.telemetry.metric_names import EXT_AUTHZ_ALLOWED, EXT_AUTHZ_DENIED, EXT_AUTHZ_ERROR

DENIED = "ext_authz_denied"
FAILED = "ext_authz_error"


class NetworkAuthorizer:
    """One authorizer of a filter chain."""

    def __init__(self, config: ExtAuthzConfig, context: ProxyContext) -> None:
        from pymesh.proxy.http_filters.ext_authz_grpc import GrpcAuthorizer  # it is memory

        counter = context.telemetry.metrics.counter
        self._config = config
        self._context = context
        self._authorizer = GrpcAuthorizer(config)
        self._is_enabled = compile_metadata_matcher(config.enabled) if config.enabled is not None else None
        self._allowed, self._denied = counter(EXT_AUTHZ_ALLOWED), counter(EXT_AUTHZ_DENIED)
        self._errors = counter(EXT_AUTHZ_ERROR)

    def is_asked(self, call: Any) -> bool:
        return self._is_enabled is None or self._is_enabled(call.dynamic_metadata)

    def ask(self, call: Any, on_answer: Callable[[str], None]) -> None:
        """`on_answer` gets why not, or an empty text. It may be called before this returns."""
        cluster = self._context.clusters.get(self._config.cluster)

        def answer(verdict: Verdict) -> None:
            on_answer(self._read(verdict))

        if cluster is None or not self._authorizer.ask_of_connection(call, cluster, self._context, answer):
            on_answer(self._read(None))

    def _read(self, verdict: Verdict) -> str:
        if verdict is None:
            self._errors.value += 1
            return "" if self._config.allows_on_failure else FAILED
        if isinstance(verdict, Permit):
            self._allowed.value += 1
            return ""
        self._denied.value += 1
        return DENIED


class AskingConnection(asyncio.Protocol):
    """Is on the transport until the answer is there; then either the filter's protocol is, or the connection ends."""

    def __init__(
        self,
        info: ConnectionInfo,
        call: Any,
        authorizer: NetworkAuthorizer,
        new_connection: Callable[[ConnectionInfo], asyncio.Protocol],
        on_refused: Callable[[ConnectionInfo, str], None],
    ) -> None:
        self._info = info
        self._call = call
        self._authorizer = authorizer
        self._new_connection = new_connection
        self._tell_refused = on_refused
        self._transport: asyncio.Transport | None = None
        self._reason = "downstream_remote_disconnect"  # why it ends, if it does

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        transport.pause_reading()
        self._authorizer.ask(self._call, self._on_answer)

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None
        self._tell_refused(self._info, self._reason)
        self._info.on_close()

    def _on_answer(self, refusal: str) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if refusal:
            self._reason = refusal
            transport.close()
            return
        protocol = self._new_connection(self._info)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        transport.resume_reading()
