"""Asks an external authorizer whether a request may pass.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/ext_authz_filter
"""

from functools import partial
from typing import Any

from pymesh.proxy.http_filters.authorization_verdict import Authorizer, Permit, Verdict
from pymesh.proxy.http_filters.ext_authz_config import ExtAuthzConfig, decode_ext_authz
from pymesh.proxy.http_filters.ext_authz_http import HttpAuthorizer
from pymesh.proxy.http_filters.filter import (
    CONTINUE,
    STOP,
    FilterContext,
    FilterStatus,
    HttpFilterFactory,
    LocalReply,
)
from pymesh.proxy.matchers.metadata_matcher import compile_metadata_matcher
from pymesh.proxy.telemetry.metric_names import EXT_AUTHZ_ALLOWED, EXT_AUTHZ_DENIED, EXT_AUTHZ_ERROR

NAME = "envoy.filters.http.ext_authz"


class ExtAuthz:
    def __init__(self, config: ExtAuthzConfig, context: FilterContext) -> None:
        counter = context.telemetry.metrics.counter
        self._config = config
        self._context = context
        self._authorizer = _build_authorizer(config)
        self._is_enabled = compile_metadata_matcher(config.enabled) if config.enabled is not None else None
        self._allowed, self._denied = counter(EXT_AUTHZ_ALLOWED), counter(EXT_AUTHZ_DENIED)
        self._errors = counter(EXT_AUTHZ_ERROR)

    def on_request(self, stream: Any) -> FilterStatus | LocalReply:
        if self._is_enabled is not None and not self._is_enabled(stream.info.dynamic_metadata):
            return CONTINUE
        cluster = self._context.clusters.get(self._config.cluster)
        if cluster is None:
            return self._fail()
        is_asked = self._authorizer.ask(stream, cluster, self._context, partial(self._on_verdict, stream))
        return STOP if is_asked else self._fail()

    def _on_verdict(self, stream: Any, verdict: Verdict) -> None:
        reply: FilterStatus | LocalReply = CONTINUE
        if verdict is None:
            reply = self._fail()
        elif isinstance(verdict, LocalReply):
            self._denied.value += 1
            reply = verdict
        else:
            self._allow(stream, verdict)
        if isinstance(reply, LocalReply):
            if stream.weighted_cluster is not None:
                stream.info.upstream_cluster = stream.weighted_cluster.name
            stream.send_local_reply(reply)
        else:
            stream.continue_request()

    def _allow(self, stream: Any, permit: Permit) -> None:
        self._allowed.value += 1
        if stream.is_done:
            return
        permit.apply(stream)
        if self._config.clears_route_cache and permit.is_changing_request:
            stream.clear_route_cache()

    def _fail(self) -> FilterStatus | LocalReply:
        self._errors.value += 1
        if self._config.allows_on_failure:
            return CONTINUE
        return LocalReply(self._config.status_on_error, b"", "ext_authz_error", "UAEX")


def _build_authorizer(config: ExtAuthzConfig) -> Authorizer:
    """gRPC is loaded only where it is spoken: it is memory."""
    if not config.is_grpc:
        return HttpAuthorizer(config)
    from pymesh.proxy.http_filters.ext_authz_grpc import GrpcAuthorizer

    return GrpcAuthorizer(config)


FACTORY = HttpFilterFactory(
    type_url="type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
    name=NAME,
    decode=decode_ext_authz,
    decode_route=None,
    build=ExtAuthz,
)
