"""Rules of a DestinationRule and its traffic policies."""

import re

from pymesh.control.model.destination_rule import (
    ClientTLSSettings,
    ConnectionPoolSettings,
    ConsistentHashLB,
    DestinationRule,
    HTTPCookie,
    HTTPSettings,
    LoadBalancerSettings,
    OutlierDetection,
    PortTrafficPolicy,
    TCPSettings,
    TrafficPolicy,
)
from pymesh.control.model.resource import Metadata
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.control.model.validation.locality import check_locality_lb

_LARGEST_MAGLEV_TABLE = 5_000_011  # Envoy
_LARGEST_RING = 8 * 1024 * 1024  # Envoy
_COOKIE_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_COOKIE_ATTRIBUTE = re.compile(r"[^;\x00-\x1f\x7f]*")


def check_destination_rule(spec: DestinationRule, metadata: Metadata, at: Scope) -> None:
    syntax.check_host(spec.host, at["host"])
    _check_traffic_policy(spec.traffic_policy, at["trafficPolicy"])
    for index, subset in enumerate(spec.subsets):
        syntax.check_subset_name(subset.name, at["subsets"][index]["name"])
        syntax.check_labels(subset.labels, at["subsets"][index]["labels"])
        _check_traffic_policy(subset.traffic_policy, at["subsets"][index]["trafficPolicy"])
    syntax.check_unique((subset.name for subset in spec.subsets), at["subsets"], "subset")
    syntax.check_export_to(spec.export_to, metadata.namespace, at["exportTo"])


def _check_traffic_policy(policy: TrafficPolicy | None, at: Scope) -> None:
    if policy is None:
        return
    at.require(policy != TrafficPolicy(), "must have at least one field")
    _check_blocks(policy, at)
    if policy.retry_budget is not None:
        percent = policy.retry_budget.percent
        at["retryBudget"]["percent"].require(percent is None or 0 <= percent <= 100, "must be 0..100")
        syntax.check_not_negative(policy.retry_budget.min_retry_concurrency, at["retryBudget"]["minRetryConcurrency"])
    for index, port_policy in enumerate(policy.port_level_settings):
        here = at["portLevelSettings"][index]
        here["port"].require(port_policy.port, "is required")
        if port_policy.port is not None:
            syntax.check_port(port_policy.port.number, here["port"]["number"])
        here.require(port_policy != PortTrafficPolicy(port=port_policy.port), "must have one field beside port")
        _check_blocks(port_policy, here)
    numbers = (item.port.number for item in policy.port_level_settings if item.port is not None)
    syntax.check_unique(numbers, at["portLevelSettings"], "port")


def _check_blocks(policy: TrafficPolicy | PortTrafficPolicy, at: Scope) -> None:
    _check_load_balancer(policy.load_balancer, at["loadBalancer"])
    _check_connection_pool(policy.connection_pool, at["connectionPool"])
    _check_outlier_detection(policy.outlier_detection, at["outlierDetection"])
    _check_tls(policy.tls, at["tls"])


def _check_load_balancer(settings: LoadBalancerSettings | None, at: Scope) -> None:
    if settings is None:
        return
    is_single = settings.simple is None or settings.consistent_hash is None
    at.require(is_single, "must have only one of simple and consistentHash")
    if settings.consistent_hash is not None:
        _check_consistent_hash(settings.consistent_hash, at["consistentHash"])
    _check_warmup(settings, at)
    if settings.locality_lb_setting is not None:
        check_locality_lb(settings.locality_lb_setting, at["localityLbSetting"])


def _check_warmup(settings: LoadBalancerSettings, at: Scope) -> None:
    syntax.check_duration(settings.warmup_duration_secs, at["warmupDurationSecs"])
    warmup = settings.warmup
    if warmup is None:
        return
    here = at["warmup"]
    at["warmupDurationSecs"].require(not settings.warmup_duration_secs, "cannot stand beside warmup")
    here["duration"].require(warmup.duration, "is required")
    syntax.check_duration(warmup.duration, here["duration"])
    percent, aggression = warmup.minimum_percent, warmup.aggression
    here["minimumPercent"].require(percent is None or 0 <= percent <= 100, "must be 0..100")
    here["aggression"].require(aggression is None or aggression >= 1, "must be at least 1")


def _check_consistent_hash(consistent_hash: ConsistentHashLB, at: Scope) -> None:
    keys = {
        "httpHeaderName": consistent_hash.http_header_name,
        "httpCookie": consistent_hash.http_cookie,
        "useSourceIp": consistent_hash.use_source_ip,
        "httpQueryParameterName": consistent_hash.http_query_parameter_name,
    }
    chosen = [name for name, value in keys.items() if value is not None]
    at.require(len(chosen) == 1, f"must have exactly one of {', '.join(keys)}")
    for name in chosen:
        at[name].require(keys[name], "must not be empty")
    if consistent_hash.http_header_name and consistent_hash.http_header_name.lower() != ":authority":
        syntax.check_header_name(consistent_hash.http_header_name, at["httpHeaderName"])
    if consistent_hash.http_cookie is not None:
        _check_cookie(consistent_hash.http_cookie, at["httpCookie"])
    _check_hash_algorithm(consistent_hash, at)


def _check_cookie(cookie: HTTPCookie, at: Scope) -> None:
    """What proxies write into Set-Cookie."""
    at["name"].require(
        _COOKIE_NAME.fullmatch(cookie.name), "must be a token (RFC 6265)" if cookie.name else "is required"
    )
    at["path"].require(_COOKIE_ATTRIBUTE.fullmatch(cookie.path), "must not have ';' or control characters")
    syntax.check_duration(cookie.ttl, at["ttl"], allow_zero=True)
    for index, attribute in enumerate(cookie.attributes):
        here = at["attributes"][index]
        here["name"].require(_COOKIE_NAME.fullmatch(attribute.name), "must be a token (RFC 6265)")
        here["value"].require(_COOKIE_ATTRIBUTE.fullmatch(attribute.value), "must not have ';' or control characters")


def _check_hash_algorithm(consistent_hash: ConsistentHashLB, at: Scope) -> None:
    algorithms = {
        "ringHash": consistent_hash.ring_hash,
        "maglev": consistent_hash.maglev,
        "minimumRingSize": consistent_hash.minimum_ring_size or None,
    }
    chosen = [name for name, value in algorithms.items() if value is not None]
    at.require(len(chosen) <= 1, f"must have only one of {', '.join(algorithms)}")
    if consistent_hash.ring_hash is not None:
        size = consistent_hash.ring_hash.minimum_ring_size
        syntax.check_range(size, 0, _LARGEST_RING, at["ringHash"]["minimumRingSize"])
    syntax.check_range(consistent_hash.minimum_ring_size, 0, _LARGEST_RING, at["minimumRingSize"])
    if consistent_hash.maglev is not None:
        size = consistent_hash.maglev.table_size
        is_valid = size == 0 or (2 <= size < _LARGEST_MAGLEV_TABLE and _is_prime(size))
        at["maglev"]["tableSize"].require(is_valid, f"must be a prime number below {_LARGEST_MAGLEV_TABLE}")


def _is_prime(number: int) -> bool:
    return all(number % factor for factor in range(2, int(number**0.5) + 1))


def _check_connection_pool(settings: ConnectionPoolSettings | None, at: Scope) -> None:
    if settings is None:
        return
    at.require(settings.tcp or settings.http, "must have at least one of tcp and http")
    if settings.tcp is not None:
        _check_tcp_settings(settings.tcp, at["tcp"])
    if settings.http is not None:
        _check_http_settings(settings.http, at["http"])


def _check_tcp_settings(tcp: TCPSettings, at: Scope) -> None:
    syntax.check_not_negative(tcp.max_connections, at["maxConnections"])
    syntax.check_duration(tcp.connect_timeout, at["connectTimeout"])
    syntax.check_duration(tcp.max_connection_duration, at["maxConnectionDuration"])
    syntax.check_duration(tcp.idle_timeout, at["idleTimeout"], allow_zero=True)
    if tcp.tcp_keepalive is not None:
        syntax.check_not_negative(tcp.tcp_keepalive.probes, at["tcpKeepalive"]["probes"])
        syntax.check_duration(tcp.tcp_keepalive.time, at["tcpKeepalive"]["time"])
        syntax.check_duration(tcp.tcp_keepalive.interval, at["tcpKeepalive"]["interval"])


def _check_http_settings(http: HTTPSettings, at: Scope) -> None:
    limits = {
        "http1MaxPendingRequests": http.http1_max_pending_requests,
        "http2MaxRequests": http.http2_max_requests,
        "maxRequestsPerConnection": http.max_requests_per_connection,
        "maxRetries": http.max_retries,
        "maxConcurrentStreams": http.max_concurrent_streams,
    }
    for name, limit in limits.items():
        syntax.check_not_negative(limit, at[name])
    syntax.check_duration(http.idle_timeout, at["idleTimeout"], allow_zero=True)


def _check_outlier_detection(outlier: OutlierDetection | None, at: Scope) -> None:
    if outlier is None:
        return
    counters = {
        "consecutiveErrors": outlier.consecutive_errors,
        "consecutive5xxErrors": outlier.consecutive_5xx_errors,
        "consecutiveGatewayErrors": outlier.consecutive_gateway_errors,
        "consecutiveLocalOriginFailures": outlier.consecutive_local_origin_failures,
    }
    for name, counter in counters.items():
        syntax.check_not_negative(counter or 0, at[name])
    is_split = outlier.split_external_local_origin_errors or not outlier.consecutive_local_origin_failures
    at["consecutiveLocalOriginFailures"].require(is_split, "needs splitExternalLocalOriginErrors: true")
    syntax.check_duration(outlier.interval, at["interval"])
    syntax.check_duration(outlier.base_ejection_time, at["baseEjectionTime"])
    syntax.check_range(outlier.max_ejection_percent, 0, 100, at["maxEjectionPercent"])
    syntax.check_range(outlier.min_health_percent, 0, 100, at["minHealthPercent"])


def _check_tls(tls: ClientTLSSettings | None, at: Scope) -> None:
    if tls is None:
        return
    files = {
        "clientCertificate": tls.client_certificate,
        "privateKey": tls.private_key,
        "caCertificates": tls.ca_certificates,
    }
    if tls.mode == "ISTIO_MUTUAL":
        for name, value in (files | {"credentialName": tls.credential_name}).items():
            at[name].require(not value, "must not be set with ISTIO_MUTUAL")
    if tls.credential_name:
        for name, value in files.items():
            at[name].require(not value, "cannot stand beside credentialName")
    elif tls.mode == "MUTUAL":
        for name in ("clientCertificate", "privateKey"):
            at[name].require(files[name], "is required with MUTUAL")
    if tls.insecure_skip_verify:
        at["caCertificates"].require(not tls.ca_certificates, "cannot stand beside insecureSkipVerify")
        at["subjectAltNames"].require(not tls.subject_alt_names, "cannot stand beside insecureSkipVerify")
