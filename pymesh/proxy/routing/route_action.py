"""Decodes what a route does: forward to clusters, redirect, or answer by itself.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route_components.proto (RouteAction)
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from pymesh.protojson import Reader
from pymesh.proxy.matchers.metadata_match import decode_metadata_match, freeze_match
from pymesh.proxy.matchers.path_matcher import PathMatcher
from pymesh.proxy.routing.hash_policy import decode_hash_policy
from pymesh.proxy.routing.header_mutations import decode_header_change, merge_changes
from pymesh.proxy.routing.path_rewrite import decode_path_rewrite
from pymesh.proxy.routing.redirect import decode_redirect
from pymesh.proxy.routing.retry_policy import RetryPolicy, decode_retry_policy
from pymesh.proxy.routing.route import (
    DEFAULT_BUFFER_LIMIT,
    ClusterAction,
    DirectResponseAction,
    Mirror,
    RouteAction,
    WeightedCluster,
)

_NOT_FOUND_CODES = {"SERVICE_UNAVAILABLE": 503, "NOT_FOUND": 404, "INTERNAL_SERVER_ERROR": 500}
_DEFAULT_TIMEOUT = 15.0


def decode_route_action(
    route: Reader,
    matcher: PathMatcher,
    default_retry_policy: RetryPolicy | None = None,
    max_body: int = 4096,
    buffer_limit: int = DEFAULT_BUFFER_LIMIT,
) -> RouteAction:
    """Of a Route, the one of `route`, `redirect` and `direct_response` that it has."""
    kind = route.oneof("route", "redirect", "direct_response")
    if kind is None:
        route.fail("action", "one of route, redirect and direct_response is required")
    action = route.required_object(kind)
    if kind == "redirect":
        return decode_redirect(action, matcher)
    if kind == "direct_response":
        return _decode_direct_response(action, max_body)
    return _decode_cluster_action(action, matcher, default_retry_policy, buffer_limit)


def _decode_cluster_action(
    reader: Reader, matcher: PathMatcher, default_retry_policy: RetryPolicy | None, buffer_limit: int
) -> ClusterAction:
    reader.oneof("host_rewrite_literal", "auto_host_rewrite")
    timeout, duration = _decode_timeout(reader), reader.object("max_stream_duration")
    max_grpc_timeout = reader.duration("max_grpc_timeout")
    retry_policy = reader.object("retry_policy")
    allowed, refused, is_connect = _decode_upgrades(reader)
    return ClusterAction(
        clusters=_decode_clusters(reader),
        timeout=timeout if duration is None else None,  # Envoy: a route has the one or the other
        max_grpc_timeout=max_grpc_timeout if duration is None else None,
        idle_timeout=reader.duration("idle_timeout"),
        max_stream_duration=duration.duration("max_stream_duration") if duration is not None else None,
        grpc_timeout_header_max=duration.duration("grpc_timeout_header_max") if duration is not None else None,
        buffer_limit=buffer_limit,
        retry_policy=decode_retry_policy(retry_policy) if retry_policy else default_retry_policy,
        mirrors=tuple(map(_decode_mirror, reader.objects("request_mirror_policies"))),
        path_rewrite=decode_path_rewrite(reader, matcher),
        host_rewrite=reader.string("host_rewrite_literal").encode(),
        auto_host_rewrite=reader.boolean("auto_host_rewrite"),
        hash_policies=tuple(map(decode_hash_policy, reader.objects("hash_policy"))),
        upgrades=allowed,
        refused_upgrades=refused,
        is_connect=is_connect,
        is_high_priority=reader.enum("priority", ("DEFAULT", "HIGH")) == "HIGH",
        cluster_not_found_code=_NOT_FOUND_CODES[
            reader.enum("cluster_not_found_response_code", tuple(_NOT_FOUND_CODES))
        ],
    )


def _decode_clusters(reader: Reader) -> tuple[WeightedCluster, ...]:
    kind = reader.oneof("cluster", "weighted_clusters")
    if kind is None:
        reader.fail("cluster_specifier", "one of cluster and weighted_clusters is required")
    metadata = decode_metadata_match(reader)
    if kind == "cluster":
        return (WeightedCluster(reader.required_string("cluster"), metadata_match=freeze_match(metadata)),)
    weighted = reader.required_object(kind)
    weighted.ignore("total_weight", "runtime_key_prefix")
    clusters = tuple(_decode_weighted_cluster(item, metadata) for item in weighted.objects("clusters"))
    if sum(cluster.weight for cluster in clusters) < 1:
        weighted.fail("clusters", "the weights must add up to more than 0")
    return clusters


def _decode_weighted_cluster(reader: Reader, metadata: Mapping[str, Any]) -> WeightedCluster:
    weight = reader.integer("weight")
    if weight < 0:
        reader.fail("weight", "must not be negative")
    return WeightedCluster(
        name=reader.required_string("name"),
        weight=weight,
        request_headers=merge_changes([decode_header_change(reader, "request")]),
        response_headers=merge_changes([decode_header_change(reader, "response")]),
        host_rewrite=reader.string("host_rewrite_literal").encode(),
        # ClusterWeight.metadata_match: merged with the route's, "with values from here taking precedence"
        metadata_match=freeze_match({**metadata, **decode_metadata_match(reader)}),
    )


def _decode_mirror(reader: Reader) -> Mirror:
    reader.ignore("trace_sampled")  # Mirrors never make spans here.
    percent = reader.percent("runtime_fraction")
    return Mirror(
        cluster=reader.required_string("cluster"),
        percent=100.0 if percent is None else percent,
        append_shadow_suffix=not reader.boolean("disable_shadow_host_suffix_append"),
    )


def _decode_timeout(reader: Reader) -> float | None:
    timeout = reader.duration("timeout")
    return _DEFAULT_TIMEOUT if timeout is None else timeout or None


def _decode_upgrades(reader: Reader) -> tuple[frozenset[str], frozenset[str], bool]:
    """The upgrade types let through, those refused, and whether a CONNECT ends here."""
    allowed: set[str] = set()
    refused: set[str] = set()
    is_connect = False
    for upgrade in reader.objects("upgrade_configs"):
        is_enabled = upgrade.boolean("enabled", True)
        (allowed if is_enabled else refused).add(upgrade.required_string("upgrade_type").lower())
        is_connect = is_connect or (upgrade.object("connect_config") is not None and is_enabled)
    return frozenset(allowed), frozenset(refused), is_connect


def _decode_direct_response(reader: Reader, max_body: int) -> DirectResponseAction:
    status = reader.integer("status")
    if not 200 <= status < 600:
        reader.fail("status", "must be 200..599")
    source = reader.object("body")
    body = b"" if source is None else _decode_data_source(source)
    if len(body) > max_body:
        reader.fail("body", f"is {len(body)} bytes long; the limit is {max_body}")
    return DirectResponseAction(status, body)


def _decode_data_source(reader: Reader) -> bytes:
    if reader.oneof("inline_string", "inline_bytes") == "inline_string":
        return reader.string("inline_string").encode()
    try:
        return base64.b64decode(reader.required_string("inline_bytes"), validate=True)
    except binascii.Error:
        reader.fail("inline_bytes", "is not base64")
