"""RDS: a RouteConfiguration from JSON. Pure; what a route consists of is decoded beside its type in routing.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route.proto
https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route_components.proto
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pymesh.protojson import Reader
from pymesh.proxy.routing.header_mutations import HeaderChange, HeaderMutations, decode_header_change, merge_changes
from pymesh.proxy.routing.retry_policy import RetryPolicy, decode_retry_policy
from pymesh.proxy.routing.route import DEFAULT_BUFFER_LIMIT, Route, RouteConfiguration, VirtualHost
from pymesh.proxy.routing.route_action import decode_route_action
from pymesh.proxy.routing.route_matcher import decode_route_matcher

# HTTP filter name -> its HttpFilterFactory.decode_route
PerFilterDecoders = Mapping[str, Callable[[Reader], Any]]

_DEFAULT_MAX_BODY = 4096


@dataclass(frozen=True, slots=True)
class _Level:
    """What routes inherit from the virtual host and the configuration above them, the nearest level first."""

    decoders: PerFilterDecoders
    max_body: int
    request_changes: tuple[HeaderChange, ...] = ()
    response_changes: tuple[HeaderChange, ...] = ()
    filter_configs: Mapping[str, Any] | None = None
    retry_policy: RetryPolicy | None = None
    buffer_limit: int = DEFAULT_BUFFER_LIMIT
    most_specific_wins: bool = False

    def merge(self, changes: tuple[HeaderChange, ...]) -> HeaderMutations:
        """By default the last word is that of the configuration as a whole, as in Envoy."""
        return merge_changes(reversed(changes) if self.most_specific_wins else changes)


def decode_route_configuration(reader: Reader, per_filter_decoders: PerFilterDecoders) -> RouteConfiguration:
    """Raises DecodeError. The caller of the outermost resource ends with `reject_unread`."""
    reader.ignore("@type", "validate_clusters", "metadata")
    max_body = reader.optional_integer("max_direct_response_body_size_bytes")
    level = _Level(
        per_filter_decoders,
        _DEFAULT_MAX_BODY if max_body is None else max_body,
        most_specific_wins=reader.boolean("most_specific_header_mutations_wins"),
    )
    level = _enter(reader, level)
    virtual_hosts = tuple(_decode_virtual_host(item, level) for item in reader.objects("virtual_hosts"))
    _check_domains(reader, virtual_hosts)
    return RouteConfiguration(
        name=reader.string("name"),
        virtual_hosts=virtual_hosts,
        ignore_port_in_host_matching=reader.boolean("ignore_port_in_host_matching"),
    )


def _decode_virtual_host(reader: Reader, level: _Level) -> VirtualHost:
    level = _enter(reader, level)
    domains = reader.strings("domains")
    if not domains:
        reader.fail("domains", "is required")
    return VirtualHost(
        name=reader.required_string("name"),
        domains=domains,
        routes=tuple(_decode_route(item, level) for item in reader.objects("routes")),
        require_tls=reader.enum("require_tls", ("NONE", "ALL")) == "ALL",
        include_request_attempt_count=reader.boolean("include_request_attempt_count"),
        include_attempt_count_in_response=reader.boolean("include_attempt_count_in_response"),
    )


def _decode_route(reader: Reader, level: _Level) -> Route:
    reader.ignore("metadata", "stat_prefix")
    level = _enter(reader, level)
    matcher = decode_route_matcher(reader.required_object("match"))
    decorator = reader.object("decorator")
    if decorator is not None:
        decorator.ignore("propagate")
    return Route(
        name=reader.string("name"),
        match=matcher,
        action=decode_route_action(reader, matcher.path, level.retry_policy, level.max_body, level.buffer_limit),
        request_headers=level.merge(level.request_changes),
        response_headers=level.merge(level.response_changes),
        filter_configs=level.filter_configs or {},
        decorator=decorator.string("operation") if decorator else "",
    )


def _enter(reader: Reader, above: _Level) -> _Level:
    """The level of `reader`, with all that it adds to those above it."""
    retry_policy = reader.object("retry_policy")
    own_filters = _decode_filter_configs(reader, above.decoders)
    return _Level(
        above.decoders,
        above.max_body,
        (decode_header_change(reader, "request"), *above.request_changes),
        (decode_header_change(reader, "response"), *above.response_changes),
        {**(above.filter_configs or {}), **own_filters},
        decode_retry_policy(retry_policy) if retry_policy else above.retry_policy,
        _decode_buffer_limit(reader, above.buffer_limit),
        above.most_specific_wins,
    )


def _decode_buffer_limit(reader: Reader, above: int) -> int:
    """The older field can only lower the limit of the listener's connections."""
    if reader.oneof("request_body_buffer_limit", "per_request_buffer_limit_bytes") == "request_body_buffer_limit":
        return reader.integer("request_body_buffer_limit")
    limit = reader.optional_integer("per_request_buffer_limit_bytes")
    return above if limit is None else min(limit, DEFAULT_BUFFER_LIMIT)


def _decode_filter_configs(reader: Reader, decoders: PerFilterDecoders) -> dict[str, Any]:
    configs = reader.object("typed_per_filter_config")
    names = () if configs is None else tuple(configs.keys())
    return {name: _decode_filter_config(configs, name, decoders) for name in names if configs is not None}


def _decode_filter_config(configs: Reader, name: str, decoders: PerFilterDecoders) -> Any:
    decode = decoders.get(name) or configs.fail(name, "is not a filter that a route can configure")
    message = configs.required_object(name)
    message.ignore("@type")
    return decode(message)


def _check_domains(reader: Reader, virtual_hosts: tuple[VirtualHost, ...]) -> None:
    """Envoy: "Only unique values for domains are permitted", over all virtual hosts and without case."""
    seen: set[str] = set()
    for i, virtual_host in enumerate(virtual_hosts):
        for domain in map(str.lower, virtual_host.domains):
            if not domain or domain in seen or "*" in domain[1:-1] or domain.count("*") > 1:
                reader.fail(f"virtual_hosts[{i}].domains", f"{domain!r} is empty, doubled or has a wrong wildcard")
            seen.add(domain)
