"""Waits until the host that a request names is resolved, where its cluster goes wherever the request says.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/dynamic_forward_proxy_filter
"""

from collections.abc import Callable
from typing import Any, Protocol

from pymesh.protojson import Reader
from pymesh.proxy.http_filters.filter import (
    CONTINUE,
    STOP,
    FilterContext,
    FilterStatus,
    HttpFilterFactory,
    LocalReply,
)
from pymesh.proxy.routing.route import WeightedCluster

NAME = "envoy.filters.http.dynamic_forward_proxy"


class _Cluster(Protocol):
    """What the filter asks of a upstream.Cluster."""

    @property
    def is_dynamic_forward_proxy(self) -> bool: ...

    def resolve(self, authority: bytes, on_resolved: Callable[[str | None], None]) -> bool: ...


class DynamicForwardProxy:
    def __init__(self, config: None, context: FilterContext) -> None:
        self._get_cluster = context.clusters.get

    def on_request(self, stream: Any) -> FilterStatus | LocalReply:
        weighted: WeightedCluster | None = stream.weighted_cluster
        get_cluster = self._get_cluster  # a local is called faster
        cluster: _Cluster | None = None if weighted is None else get_cluster(weighted.name)
        if cluster is None or not cluster.is_dynamic_forward_proxy:
            return CONTINUE

        def on_resolved(failure: str | None) -> None:
            if failure is None:
                stream.continue_request()
            else:
                stream.send_local_reply(_dns_failure(failure))

        return CONTINUE if cluster.resolve(stream.authority, on_resolved) else STOP


def _dns_failure(failure: str) -> LocalReply:
    return LocalReply(503, b"DNS resolution failure", f"dns_resolution_failure{{{failure}}}", "DF")


def decode_dynamic_forward_proxy(reader: Reader) -> None:
    """How names are resolved and how long they are kept is the cluster's own."""
    reader.ignore("@type")
    reader.map("dns_cache_config")


FACTORY = HttpFilterFactory(
    type_url="type.googleapis.com/envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig",
    name=NAME,
    decode=decode_dynamic_forward_proxy,
    decode_route=None,
    build=DynamicForwardProxy,
)
