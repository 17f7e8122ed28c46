"""Rules of one HTTP route of a VirtualService: what it matches, what it does, what cannot stand together."""

import re

from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.control.model.validation.header_value import check_header_text, check_header_value
from pymesh.control.model.validation.route import check_destination, check_gateway_names, check_weights
from pymesh.control.model.virtual_service import (
    GRPC_STATUSES,
    Abort,
    Delay,
    HeaderOperations,
    Headers,
    HTTPDirectResponse,
    HTTPFaultInjection,
    HTTPMatchRequest,
    HTTPRedirect,
    HTTPRetry,
    HTTPRewrite,
    HTTPRoute,
    RegexRewrite,
)

# Istio: supportedRetryOnPolicies; anything else but an HTTP status code is refused.
RETRY_ON = frozenset(
    (
        "5xx",
        "gateway-error",
        "reset",
        "reset-before-request",
        "connect-failure",
        "retriable-4xx",
        "refused-stream",
        "retriable-status-codes",
        "retriable-headers",
        "envoy-ratelimited",
        "http3-post-connect-failure",
        "cancelled",
        "deadline-exceeded",
        "internal",
        "resource-exhausted",
        "unavailable",
    )
)
REDIRECT_CODES = (301, 302, 303, 307, 308)
_LARGEST_BODY = 1024 * 1024
_AUTHORITY = (":authority", "host")
# What follows a backslash: the number of a group, or another backslash.
_REFERENCE = re.compile(r"\\(.|$)", re.DOTALL)


def check_http_route(route: HTTPRoute, at: Scope) -> None:
    for index, match in enumerate(route.match):
        check_http_match(match, at["match"][index])
    _check_action(route, at)
    _check_headers(route.headers, at["headers"])
    _check_destinations(route, at)
    _check_mirrors(route, at)
    _check_redirect(route.redirect, at["redirect"])
    _check_direct_response(route.direct_response, at["directResponse"])
    _check_rewrite(route.rewrite, at["rewrite"])
    _check_single_authority(route, at["headers"]["request"])
    if route.retries is not None:
        check_retries(route.retries, at["retries"])
    _check_fault(route.fault, at["fault"])
    syntax.check_duration(route.timeout, at["timeout"], allow_zero=True)


def check_http_match(match: HTTPMatchRequest, at: Scope) -> None:
    for name in ("uri", "scheme", "method", "authority"):
        syntax.check_string_match(getattr(match, name), at[name])
    for field, headers in (("headers", match.headers), ("withoutHeaders", match.without_headers)):
        for name, header in headers.items():
            syntax.check_header_name(name, at[field][name])
            syntax.check_string_match(header, at[field][name], allow_presence=True)
    for name, parameter in match.query_params.items():
        at["queryParams"].require(name, "a parameter must have a name")
        syntax.check_string_match(parameter, at["queryParams"][name], allow_presence=True)
    syntax.check_optional_port(match.port, at["port"])
    syntax.check_labels(match.source_labels, at["sourceLabels"])
    check_gateway_names(match.gateways, at["gateways"])
    if match.source_namespace:
        syntax.check_dns_label(match.source_namespace, at["sourceNamespace"])


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
        _check_headers(weighted.headers, at["route"][index]["headers"])
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
    syntax.check_percent(route.mirror_percentage, at["mirrorPercentage"])


def _check_redirect(redirect: HTTPRedirect | None, at: Scope) -> None:
    if redirect is None:
        return
    set_fields = (redirect.uri, redirect.prefix_rewrite, redirect.authority, redirect.scheme, redirect.redirect_code)
    has_port = redirect.port is not None or redirect.derive_port is not None
    at.require(any(set_fields) or has_port, "must have at least one field")
    at.require(not (redirect.uri and redirect.prefix_rewrite), "must have only one of uri and prefixRewrite")
    at.require(redirect.port is None or redirect.derive_port is None, "must have only one of port and derivePort")
    if redirect.port is not None:
        syntax.check_port(redirect.port, at["port"])
    at["scheme"].require(redirect.scheme in ("", "http", "https"), f"must be http or https, not {redirect.scheme!r}")
    for name, text in (
        ("uri", redirect.uri),
        ("prefixRewrite", redirect.prefix_rewrite),
        ("authority", redirect.authority),
    ):
        check_header_text(text, at[name])
    is_valid = redirect.redirect_code in (0, *REDIRECT_CODES)
    at["redirectCode"].require(is_valid, f"must be one of {', '.join(map(str, REDIRECT_CODES))}")


def _check_direct_response(response: HTTPDirectResponse | None, at: Scope) -> None:
    if response is None:
        return
    syntax.check_range(response.status, 200, 599, at["status"])
    body = response.body
    if body is not None:
        at["body"].require((body.string is None) != (body.bytes is None), "must have one of string and bytes")
        size = len((body.string or "").encode()) + len(body.bytes or b"")
        at["body"].require(size <= _LARGEST_BODY, f"must not be larger than {_LARGEST_BODY} bytes")


def _check_rewrite(rewrite: HTTPRewrite | None, at: Scope) -> None:
    if rewrite is None:
        return
    regex = rewrite.uri_regex_rewrite
    at.require(rewrite.uri or rewrite.authority or regex, "must have one of uri, authority and uriRegexRewrite")
    at.require(not (rewrite.uri and regex), "must have only one of uri and uriRegexRewrite")
    check_header_text(rewrite.uri, at["uri"])
    check_header_text(rewrite.authority, at["authority"])
    if regex is not None:
        _check_regex_rewrite(regex, at["uriRegexRewrite"])


def _check_regex_rewrite(regex: RegexRewrite, at: Scope) -> None:
    at["match"].require(regex.match, "is required")
    at["rewrite"].require(regex.rewrite, "is required")
    check_header_text(regex.rewrite, at["rewrite"])
    groups = syntax.check_regex(regex.match, at["match"])
    used = _REFERENCE.findall(regex.rewrite)
    is_known = all(text == "\\" or (text.isascii() and text.isdecimal() and int(text) <= groups) for text in used)
    at["rewrite"].require(is_known, f"{regex.rewrite!r} refers to a group that the regex does not have")


def check_retries(retries: HTTPRetry, at: Scope) -> None:
    syntax.check_not_negative(retries.attempts, at["attempts"])
    has_more = retries.per_try_timeout or retries.retry_on or retries.backoff
    at["attempts"].require(retries.attempts or not has_more, "0 turns retries off; nothing else may be set")
    syntax.check_duration(retries.per_try_timeout, at["perTryTimeout"])
    syntax.check_duration(retries.backoff, at["backoff"])
    for condition in filter(None, (part.strip() for part in retries.retry_on.split(","))):
        is_code = condition.isascii() and condition.isdigit() and 100 <= int(condition) <= 599
        at["retryOn"].require(condition in RETRY_ON or is_code, f"unknown condition {condition!r}")


def _check_fault(fault: HTTPFaultInjection | None, at: Scope) -> None:
    if fault is None:
        return
    at.require(fault.delay or fault.abort, "must have at least one of delay and abort")
    if fault.delay is not None:
        _check_delay(fault.delay, at["delay"])
    if fault.abort is not None:
        _check_abort(fault.abort, at["abort"])


def _check_delay(delay: Delay, at: Scope) -> None:
    syntax.check_range(delay.percent, 0, 100, at["percent"])
    syntax.check_percent(delay.percentage, at["percentage"])
    at["fixedDelay"].require(delay.fixed_delay or delay.exponential_delay, "is required")
    syntax.check_duration(delay.fixed_delay, at["fixedDelay"])


def _check_abort(abort: Abort, at: Scope) -> None:
    syntax.check_percent(abort.percentage, at["percentage"])
    alternatives = (abort.http_status, abort.grpc_status, abort.http2_error)
    chosen = sum(alternative is not None for alternative in alternatives)
    at.require(chosen == 1, "must have exactly one of httpStatus and grpcStatus")
    if abort.http_status is not None:
        syntax.check_range(abort.http_status, 200, 599, at["httpStatus"])
    if abort.grpc_status is not None:
        is_known = abort.grpc_status.upper() in GRPC_STATUSES
        at["grpcStatus"].require(is_known, f"must be one of {', '.join(GRPC_STATUSES)}, not {abort.grpc_status!r}")


def _check_headers(headers: Headers | None, at: Scope) -> None:
    if headers is None:
        return
    _check_header_operations(headers.request, at["request"], may_set=_AUTHORITY)
    _check_header_operations(headers.response, at["response"], may_set=())


def _check_header_operations(operations: HeaderOperations | None, at: Scope, may_set: tuple[str, ...]) -> None:
    if operations is None:
        return
    for field, values in (("set", operations.set), ("add", operations.add)):
        for name, value in values.items():
            if name.lower() not in may_set:
                _check_mutable_header(name, at[field][name])
            (check_header_text if name.lower() in may_set else check_header_value)(value, at[field][name])
    for index, name in enumerate(operations.remove):
        _check_mutable_header(name, at["remove"][index])


def _check_mutable_header(name: str, at: Scope) -> None:
    """Envoy refuses to touch pseudo headers and Host by header operations."""
    at.require(name, "a header must have a name")
    at.require(not name.startswith(":") and name.lower() != "host", f"{name!r} cannot be changed here")
    if name and not name.startswith(":"):
        syntax.check_header_name(name, at)


def _check_single_authority(route: HTTPRoute, at: Scope) -> None:
    request = route.headers.request if route.headers is not None else None
    names = [] if request is None else [*request.set, *request.add]
    count = sum(name.lower() in _AUTHORITY for name in names)
    has_rewrite = route.rewrite is not None and bool(route.rewrite.authority)
    at.require(count + has_rewrite <= 1, "the authority must be set only once")
