"""Decodes what a route matches: envoy.config.route.v3.RouteMatch."""

from pymesh.protojson import Reader
from pymesh.proxy.matchers.header_matcher import decode_header_matcher
from pymesh.proxy.matchers.metadata_matcher import decode_metadata_matcher
from pymesh.proxy.matchers.path_matcher import decode_path_matcher
from pymesh.proxy.matchers.query_parameter_matcher import decode_query_parameter_matcher
from pymesh.proxy.routing.route import RouteMatcher


def decode_route_matcher(reader: Reader) -> RouteMatcher:
    """https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route_components.proto (RouteMatch)"""
    return RouteMatcher(
        path=decode_path_matcher(reader),
        headers=tuple(map(decode_header_matcher, reader.objects("headers"))),
        query_parameters=tuple(map(decode_query_parameter_matcher, reader.objects("query_parameters"))),
        dynamic_metadata=tuple(map(decode_metadata_matcher, reader.objects("dynamic_metadata"))),
        runtime_percent=reader.percent("runtime_fraction"),
    )
