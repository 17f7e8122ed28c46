"""The configuration of ext_authz, decoded.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/filters/http/ext_authz/v3/ext_authz.proto
"""

from dataclasses import dataclass
from typing import Any

from pymesh.protojson import Reader
from pymesh.proxy.matchers.metadata_matcher import MetadataMatcher, decode_metadata_matcher
from pymesh.proxy.matchers.string_matcher import StringMatcher, decode_string_matcher

_DEFAULT_TIMEOUT = 0.2


@dataclass(frozen=True, slots=True)
class ExtAuthzConfig:
    """`timeout` is seconds. `is_grpc`: asked by gRPC, as `authority`; the path prefix and the patterns, which are of
    header names, are of HTTP. `client_headers` None: all of a refusal's. `clears_route_cache`: a request that the
    authorizer has changed is routed anew.
    """

    cluster: str
    timeout: float = _DEFAULT_TIMEOUT
    path_prefix: str = ""
    asked_headers: tuple[StringMatcher, ...] = ()
    added_headers: tuple[tuple[str, str], ...] = ()
    upstream_headers: tuple[StringMatcher, ...] = ()
    appended_headers: tuple[StringMatcher, ...] = ()
    client_headers: tuple[StringMatcher, ...] | None = None
    client_headers_on_success: tuple[StringMatcher, ...] = ()
    is_grpc: bool = False
    authority: str = ""
    allows_on_failure: bool = False
    status_on_error: int = 403
    enabled: MetadataMatcher | None = None
    clears_route_cache: bool = False


def decode_ext_authz(reader: Reader) -> ExtAuthzConfig:
    reader.ignore("@type", "transport_api_version", "stat_prefix")
    enabled = reader.object("filter_enabled_metadata")
    grpc = reader.object("grpc_service")
    service = _decode_http(reader) if grpc is None else decode_grpc_service(grpc)
    return ExtAuthzConfig(
        **service,
        allows_on_failure=reader.boolean("failure_mode_allow"),
        status_on_error=_decode_status(reader),
        enabled=decode_metadata_matcher(enabled) if enabled is not None else None,
        clears_route_cache=reader.boolean("clear_route_cache"),
    )


def _decode_http(reader: Reader) -> dict[str, Any]:
    service = reader.required_object("http_service")
    server = service.required_object("server_uri")
    server.ignore("uri")
    request = service.object("authorization_request") or Reader({})
    response = service.object("authorization_response") or Reader({})
    return {
        "cluster": server.required_string("cluster"),
        "timeout": _decode_timeout(server),
        "path_prefix": service.string("path_prefix"),
        "asked_headers": _decode_patterns(request, "allowed_headers"),
        "added_headers": tuple(
            (item.required_string("key"), item.string("value")) for item in request.objects("headers_to_add")
        ),
        "upstream_headers": _decode_patterns(response, "allowed_upstream_headers"),
        "appended_headers": _decode_patterns(response, "allowed_upstream_headers_to_append"),
        "client_headers": _decode_patterns(response, "allowed_client_headers") or None,
        "client_headers_on_success": _decode_patterns(response, "allowed_client_headers_on_success"),
    }


def decode_grpc_service(service: Reader) -> dict[str, Any]:
    """The fields of a GrpcService."""
    server = service.required_object("envoy_grpc")
    cluster = server.required_string("cluster_name")
    return {
        "cluster": cluster,
        "timeout": _decode_timeout(service),
        "is_grpc": True,
        "authority": server.string("authority") or cluster,  # as Envoy
    }


def _decode_timeout(reader: Reader) -> float:
    timeout = reader.duration("timeout")
    return _DEFAULT_TIMEOUT if timeout is None else timeout


def _decode_patterns(reader: Reader, key: str) -> tuple[StringMatcher, ...]:
    found = reader.object(key)
    return tuple(map(decode_string_matcher, found.objects("patterns"))) if found is not None else ()


def _decode_status(reader: Reader) -> int:
    status = reader.object("status_on_error")
    return 403 if status is None else status.integer("code") or 403
