"""Rules of one HTTP route of a VirtualService: what cannot stand together. Istio: validateHTTPRoute."""

from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.control.model.validation.cors import check_cors_policy
from pymesh.control.model.validation.fault import check_fault
from pymesh.control.model.validation.header_operations import check_headers, check_single_authority
from pymesh.control.model.validation.http_match import check_http_match
from pymesh.control.model.validation.http_redirect import check_direct_response, check_redirect, check_rewrite
from pymesh.control.model.validation.retry import check_retries
from pymesh.control.model.validation.route import check_destination, check_weights
from pymesh.control.model.virtual_service import HTTPRoute


def check_http_route(route: HTTPRoute, is_delegate: bool, is_for_gateways: bool, at: Scope) -> None:
    """`is_delegate`: the VirtualService has no hosts; others refer to it. `is_for_gateways`: no sidecar obeys it."""
    for index, match in enumerate(route.match):
        check_http_match(match, is_for_gateways, at["match"][index])
    if route.delegate is not None:
        _check_root(route, is_delegate, at)
    else:
        _check_action(route, at)
    check_headers(route.headers, at["headers"])
    _check_destinations(route, at)
    _check_mirrors(route, at)
    check_redirect(route.redirect, at["redirect"])
    check_direct_response(route.direct_response, at["directResponse"])
    check_rewrite(route.rewrite, at["rewrite"])
    check_single_authority(route, at["headers"]["request"])
    if route.retries is not None:
        check_retries(route.retries, at["retries"])
    check_fault(route.fault, at["fault"])
    check_cors_policy(route.cors_policy, at["corsPolicy"])
    syntax.check_duration(route.timeout, at["timeout"], allow_zero=True)
    if route.websocket_upgrade:
        at["websocketUpgrade"].warn("has no effect: WebSockets pass without it")


def _check_root(route: HTTPRoute, is_delegate: bool, at: Scope) -> None:
    """A route that leaves the rest to another VirtualService, which must not do so again."""
    at["delegate"].require(
        not is_delegate, "cannot stand in a VirtualService without hosts, which is a delegate itself"
    )
    for name, value in (
        ("route", route.route),
        ("redirect", route.redirect),
        ("directResponse", route.direct_response),
    ):
        at[name].require(not value, "cannot stand beside delegate")
    if route.delegate is not None:
        at["delegate"]["name"].require(route.delegate.name, "is required")


def _check_action(route: HTTPRoute, at: Scope) -> None:
    """Exactly one of route, redirect and directResponse; the last two answer by themselves."""
    actions = {"route": route.route, "redirect": route.redirect, "directResponse": route.direct_response}
    chosen = [name for name, value in actions.items() if value]
    at.require(chosen, "must have one of route, redirect and directResponse")
    at.require(len(chosen) <= 1, f"must have only one of {' and '.join(chosen)}")
    if chosen and chosen[0] != "route":
        for name, value in (("fault", route.fault), ("rewrite", route.rewrite)):
            at[name].require(value is None, f"cannot stand beside {chosen[0]}")


def _check_destinations(route: HTTPRoute, at: Scope) -> None:
    for index, weighted in enumerate(route.route):
        check_destination(weighted.destination, at["route"][index]["destination"])
        check_headers(weighted.headers, at["route"][index]["headers"])
    check_weights(route.route, at["route"])


def _check_mirrors(route: HTTPRoute, at: Scope) -> None:
    if route.mirror is not None:
        at["mirror"].require(not route.mirrors, "cannot stand beside mirrors")
        check_destination(route.mirror, at["mirror"])
    for index, mirror in enumerate(route.mirrors):
        check_destination(mirror.destination, at["mirrors"][index]["destination"])
        syntax.check_percent(mirror.percentage, at["mirrors"][index]["percentage"])
    if route.mirror_percent is not None:
        syntax.check_range(route.mirror_percent, 0, 100, at["mirrorPercent"])
        at["mirrorPercent"].warn("is deprecated; use mirrorPercentage")
    syntax.check_percent(route.mirror_percentage, at["mirrorPercentage"])
