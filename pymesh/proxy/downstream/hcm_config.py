"""The configuration of an HTTP connection manager and how it is decoded.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pymesh.protojson import Reader
from pymesh.proxy.http_filters.filter import HttpFilterFactory

TYPE_URL = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


@dataclass(frozen=True, slots=True)
class HttpFilterConfig:
    """One entry of the filter chain; `config` is what the factory's `decode` returned."""

    name: str
    factory: HttpFilterFactory
    config: Any


@dataclass(frozen=True, slots=True)
class HttpConnectionManagerConfig:
    """Times are seconds; 0 disables a timeout. Either `route_config_name` (RDS) or `route_config` is set."""

    stat_prefix: str = ""
    route_config_name: str = ""
    route_config: Any = None  # routing.RouteConfiguration
    http_filters: tuple[HttpFilterConfig, ...] = ()


def decode_http_connection_manager(
    reader: Reader, decode_route_config: Callable[[Reader], Any]
) -> HttpConnectionManagerConfig:
    """`decode_route_config` decodes an inline RouteConfiguration. Raises DecodeError."""
    raise NotImplementedError
