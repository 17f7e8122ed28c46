"""Every HTTP filter of this proxy."""

from collections.abc import Callable
from typing import Any

from pymesh.protojson import Reader
from pymesh.proxy.http_filters import cors, dynamic_forward_proxy, ext_authz, fault, jwt_authn, rbac, router
from pymesh.proxy.http_filters.filter import HttpFilterFactory

FACTORIES: tuple[HttpFilterFactory, ...] = (
    ext_authz.FACTORY,
    jwt_authn.FACTORY,
    rbac.FACTORY,
    fault.FACTORY,
    cors.FACTORY,
    dynamic_forward_proxy.FACTORY,
    router.FACTORY,
)

FACTORY_BY_TYPE_URL = {factory.type_url: factory for factory in FACTORIES}


def per_filter_decoders() -> dict[str, Callable[[Reader], Any]]:
    """What decodes a route's typed_per_filter_config, by the filter's name."""
    return {factory.name: factory.decode_route for factory in FACTORIES if factory.decode_route is not None}
