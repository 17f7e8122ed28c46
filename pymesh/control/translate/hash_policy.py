"""envoy.config.route.v3.RouteAction.HashPolicy: what consistent hashing looks at."""

from typing import Any

from pymesh.control.model.destination_rule import ConsistentHashLB, HTTPCookie
from pymesh.control.translate.config_source import duration


def build_hash_policy(settings: ConsistentHashLB | None) -> list[dict[str, Any]]:
    if settings is None:
        return []
    if settings.http_header_name:
        return [{"header": {"header_name": settings.http_header_name}}]
    if settings.http_cookie is not None:
        return [{"cookie": _cookie(settings.http_cookie)}]
    if settings.use_source_ip:
        return [{"connection_properties": {"source_ip": True}}]
    if settings.http_query_parameter_name:
        return [{"query_parameter": {"name": settings.http_query_parameter_name}}]
    return []


def build_tcp_hash_policy(settings: ConsistentHashLB | None) -> list[dict[str, Any]]:
    """envoy.type.v3.HashPolicy: of a TCP connection only the source is known."""
    return [{"source_ip": {}}] if settings is not None and settings.use_source_ip else []


def _cookie(cookie: HTTPCookie) -> dict[str, Any]:
    """A cookie is generated only where there is a ttl; 0s makes one for the session."""
    built: dict[str, Any] = {"name": cookie.name}
    if cookie.path:
        built["path"] = cookie.path
    if cookie.ttl is not None:
        built["ttl"] = duration(cookie.ttl)
    if cookie.attributes:
        built["attributes"] = [{"name": item.name, "value": item.value} for item in cookie.attributes]
    return built
