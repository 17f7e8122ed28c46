"""envoy.config.route.v3.RedirectAction of an HTTPRedirect."""

from typing import Any

from pymesh.control.model.virtual_service import HTTPRedirect
from pymesh.control.translate.route_context import RouteContext

_CODES = {
    0: "MOVED_PERMANENTLY",
    301: "MOVED_PERMANENTLY",
    302: "FOUND",
    303: "SEE_OTHER",
    307: "TEMPORARY_REDIRECT",
    308: "PERMANENT_REDIRECT",
}
_DEFAULT_PORTS = {"http": 80, "https": 443}


def build_redirect(redirect: HTTPRedirect, context: RouteContext) -> dict[str, Any] | None:
    """None for a code that is no redirect: such a route has no action."""
    code = _CODES.get(redirect.redirect_code)
    if code is None:
        return None
    action: dict[str, Any] = {"response_code": code}
    if redirect.authority:
        action["host_redirect"] = redirect.authority
    if redirect.uri:
        action["path_redirect"] = redirect.uri
    elif redirect.prefix_rewrite:
        action["prefix_rewrite"] = redirect.prefix_rewrite
    if redirect.scheme:
        action["scheme_redirect"] = redirect.scheme
    port = _port(redirect, context)
    if port:
        action["port_redirect"] = port
    return action


def _port(redirect: HTTPRedirect, context: RouteContext) -> int:
    """0: none is written. The default port of the scheme never is."""
    port = context.port if redirect.derive_port == "FROM_REQUEST_PORT" else redirect.port or 0
    scheme = redirect.scheme or ("https" if context.is_tls else "http")
    return 0 if _DEFAULT_PORTS.get(scheme.lower()) == port else port
