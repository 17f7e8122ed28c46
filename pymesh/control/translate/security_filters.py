"""The HTTP filters that decide who may call: tokens are verified first, so that authorization can ask for claims."""

from typing import Any

from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.jwt_authn import build_jwt_authn
from pymesh.control.translate.rbac import build_http_rbac


def build_security_filters(view: ProxyView, port: int | None) -> list[dict[str, Any]]:
    """`port`: see rbac_attributes.RuleContext."""
    return [*build_jwt_authn(view), *build_http_rbac(view, port)]
