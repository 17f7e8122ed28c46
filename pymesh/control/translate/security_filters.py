"""The filters that decide who may call: the external authorizer, then tokens, whose claims authorization may ask for.

Istio: buildHTTPConnectionManager in pilot/pkg/networking/core/listener_builder.go.
"""

from typing import Any

from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.ext_authz import build_http_custom, build_network_custom
from pymesh.control.translate.jwt_authn import build_jwt_authn
from pymesh.control.translate.rbac import build_http_rbac, build_network_rbac

Filters = list[dict[str, Any]]


def build_security_filters(view: ProxyView, port: int | None) -> Filters:
    """Of HTTP. `port`: see rbac_attributes.RuleContext."""
    return [*build_http_custom(view, port), *build_jwt_authn(view), *build_http_rbac(view, port)]


def build_network_security_filters(view: ProxyView, port: int | None) -> Filters:
    """Of TCP."""
    return [*build_network_custom(view, port), *build_network_rbac(view, port)]
