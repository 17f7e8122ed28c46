"""Rules of a loadBalancer. Istio: validateLoadBalancer in pkg/config/validation."""

import re

from pymesh.control.model.destination_rule import ConsistentHashLB, HTTPCookie, LoadBalancerSettings, OutlierDetection
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.control.model.validation.locality import check_locality_lb

_LARGEST_MAGLEV_TABLE = 5_000_011  # Envoy
_LARGEST_RING = 8 * 1024 * 1024  # Envoy
_COOKIE_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_COOKIE_ATTRIBUTE = re.compile(r"[^;\x00-\x1f\x7f]*")


def check_load_balancer(settings: LoadBalancerSettings | None, outlier: OutlierDetection | None, at: Scope) -> None:
    if settings is None:
        return
    is_single = settings.simple is None or settings.consistent_hash is None
    at.require(is_single, "must have only one of simple and consistentHash")
    if settings.consistent_hash is not None:
        _check_consistent_hash(settings.consistent_hash, at["consistentHash"])
    _check_warmup(settings, at)
    locality = settings.locality_lb_setting
    if locality is not None:
        check_locality_lb(locality, at["localityLbSetting"])
        if (locality.failover or locality.failover_priority) and outlier is None:
            at["localityLbSetting"].warn("needs outlierDetection, or endpoints never fail over")


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
    if consistent_hash.minimum_ring_size:
        syntax.check_range(consistent_hash.minimum_ring_size, 0, _LARGEST_RING, at["minimumRingSize"])
        at["minimumRingSize"].warn("is deprecated; use ringHash.minimumRingSize")
    if consistent_hash.maglev is not None:
        size = consistent_hash.maglev.table_size
        is_valid = 2 <= size < _LARGEST_MAGLEV_TABLE and _is_prime(size)
        at["maglev"]["tableSize"].require(is_valid, f"must be a prime number below {_LARGEST_MAGLEV_TABLE}")


def _is_prime(number: int) -> bool:
    return all(number % factor for factor in range(2, int(number**0.5) + 1))
