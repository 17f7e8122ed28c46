"""The router, the last filter of every chain: does what the stream's route says.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter
"""

from dataclasses import dataclass

from pymesh.protojson import Reader
from pymesh.proxy.http_filters.filter import FilterContext, HttpFilter, HttpFilterFactory


@dataclass(frozen=True, slots=True)
class RouterConfig:
    """`suppress_envoy_headers`: no x-envoy-* header is added to requests and responses. `obeys_requests`: there are
    internal requests, whose x-envoy-* headers go before the route."""

    suppress_envoy_headers: bool = False
    obeys_requests: bool = False


def decode_router(reader: Reader) -> RouterConfig:
    reader.ignore("@type", "start_child_span", "dynamic_stats", "suppress_grpc_request_failure_code_stats")
    return RouterConfig(reader.boolean("suppress_envoy_headers"))


def _build(config: RouterConfig, context: FilterContext) -> HttpFilter:
    """Who only decodes, as the simulator does, should not wait for all that speaks to upstreams."""
    from pymesh.proxy.http_filters.live_router import Router

    return Router(config, context)


FACTORY = HttpFilterFactory(
    type_url="type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
    name="envoy.filters.http.router",
    decode=decode_router,
    decode_route=None,
    build=_build,
)
