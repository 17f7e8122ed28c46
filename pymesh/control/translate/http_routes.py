"""The routes of a VirtualService: one for each match block, in order, until one matches everything."""

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from pymesh.control.model.virtual_service import HTTPBody, HTTPMatchRequest, HTTPRoute
from pymesh.control.translate.cors import build_cors
from pymesh.control.translate.fault import build_fault
from pymesh.control.translate.headers import build_header_operations
from pymesh.control.translate.redirect import build_redirect
from pymesh.control.translate.route_action import build_route_action, used_destinations
from pymesh.control.translate.route_context import RouteContext
from pymesh.control.translate.route_match import build_route_match, is_catch_all
from pymesh.control.translate.rule_metadata import rule_metadata
from pymesh.control.translate.type_urls import CORS_FILTER, FAULT_FILTER
from pymesh.names import parse_cluster

Route = dict[str, Any]

# Istio's limit, far above Envoy's 4 KiB, of the body of a direct response.
MAX_DIRECT_RESPONSE_BYTES = 1 << 20


def build_http_routes(context: RouteContext) -> list[Route]:
    """Shared by all virtual hosts of the rule at this port, so nobody may change them."""
    key = ("http-routes", context.view.scope, context.rule.key, context.gateway, context.port, context.is_tls)
    return context.view.snapshot.cached(key, lambda: list(_until_catch_all(context)))


def _until_catch_all(context: RouteContext) -> Iterator[Route]:
    for i, http in enumerate(context.rule.spec.http):
        for j, match in enumerate(http.match or (None,)):
            if match is not None and not context.applies(match):
                continue
            origin = context.rule.origin(i)
            where = f"http[{origin.number}]"
            if match is not None and not context.rule.origins:  # a delegate's matches are merged with the root's
                where += f".match[{j}]"
            route = _build_route(http, match, rule_metadata(context.rule.key, where, origin.key), context)
            yield route
            if is_catch_all(route["match"]):
                return


def _build_route(
    http: HTTPRoute, match: HTTPMatchRequest | None, metadata: dict[str, Any], context: RouteContext
) -> Route:
    names = (http.name, match.name if match is not None else "")
    route: Route = {"name": ".".join(name for name in names if name), "match": build_route_match(match)}
    if match is not None and match.stat_prefix:
        route["stat_prefix"] = match.stat_prefix
    route |= _action(http, context)
    route |= build_header_operations((http.headers, *_only_destination_headers(http)))
    filters = {FAULT_FILTER: build_fault(http.fault), CORS_FILTER: build_cors(http.cors_policy)}
    if any(filters.values()):
        route["typed_per_filter_config"] = {name: config for name, config in filters.items() if config is not None}
    route["metadata"] = metadata
    route["decorator"] = {"operation": _operation(route, context)}
    return route


def _action(http: HTTPRoute, context: RouteContext) -> Route:
    """A route without an action, which validation lets nobody write, answers as Envoy would without any route."""
    if http.redirect is not None:
        redirect = build_redirect(http.redirect, context)
        return {"redirect": redirect} if redirect is not None else _direct_response(404, None)
    if http.direct_response is not None:
        return _direct_response(http.direct_response.status, http.direct_response.body)
    if not used_destinations(http.route):
        return _direct_response(503, None)
    return {"route": build_route_action(http, context)}


def _direct_response(status: int, body: HTTPBody | None) -> Route:
    """An empty body is none: a proxy takes no empty source of data."""
    response: dict[str, Any] = {"status": status}
    if body is not None and body.string:
        response["body"] = {"inline_string": body.string}
    elif body is not None and body.bytes:
        response["body"] = {"inline_bytes": b64encode(body.bytes).decode()}
    return {"direct_response": response}


def _only_destination_headers(http: HTTPRoute) -> tuple[Any, ...]:
    """A single destination is no weighted cluster: its header operations join the route's."""
    used = used_destinations(http.route)
    return (used[0].headers,) if len(used) == 1 else ()


def _operation(route: Route, context: RouteContext) -> str:
    """The name of the span: Istio's `host:port/path*`, or the VirtualService's name where hosts are several."""
    match = route["match"]
    path = match.get("path") or (f"{match['prefix']}*" if "prefix" in match else match["safe_regex"]["regex"])
    target = parse_cluster(route.get("route", {}).get("cluster", ""))
    if target is not None:
        return f"{target.host}:{target.port}{path}"
    return f"{context.rule.key.name}:{context.port}{path}"
