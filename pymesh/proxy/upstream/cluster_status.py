"""What /clusters shows of a cluster's parts. Reads only."""

from typing import Any

from pymesh.proxy.upstream.circuit_breaker import CircuitBreakers
from pymesh.proxy.upstream.endpoint import Endpoint

_BREAKERS = ("connections", "pending_requests", "requests", "retries")


def describe_breakers(breakers: CircuitBreakers) -> dict[str, dict[str, int]]:
    return {name: _describe_breaker(breakers, name) for name in _BREAKERS}


def _describe_breaker(breakers: CircuitBreakers, name: str) -> dict[str, int]:
    resource = getattr(breakers, name)
    shown = {"limit": resource.limit, "active": resource.active, "overflow": resource.overflow}
    is_budget = name == "retries" and breakers.retries.budget is not None
    if breakers.tracks_remaining and not is_budget:  # "the remaining retry resources will not be tracked"
        shown["remaining"] = max(0, resource.limit - resource.active)
    return shown


def describe_limits(breakers: CircuitBreakers) -> dict[str, int]:
    """As Envoy's page has them of each priority."""
    return {f"max_{name}": getattr(breakers, name).limit for name in _BREAKERS}


def describe_endpoint(endpoint: Endpoint) -> dict[str, Any]:
    config = endpoint.config
    return {
        "address": endpoint.address,
        "hostname": endpoint.hostname,
        "workload": endpoint.workload.name,
        "health": _health(endpoint),
        "health_flags": endpoint.health_flags,
        "health_check": endpoint.check_status,
        "weight": endpoint.weight,
        "priority": config.priority,
        "locality": "/".join(part for part in config.locality if part),
        "success_rate": _success_rate(endpoint, "success_rate"),
        "local_origin_success_rate": _success_rate(endpoint, "local_origin_success_rate"),
        "tls": endpoint.tls is not None,
        "mtls": endpoint.is_mtls,
        "cx_active": sum(pool.connection_count for pool in endpoint.pools),
        "rq_active": endpoint.active_requests,
        "rq_total": endpoint.rq_total + sum(pool.request_count for pool in endpoint.pools),
        "rq_error": endpoint.rq_error,
    }


def _success_rate(endpoint: Endpoint, name: str) -> float:
    """Of the last interval in percent; -1 where there were too few requests, as in Envoy."""
    monitor = endpoint.outlier_monitor
    return -1.0 if monitor is None else round(getattr(monitor, name), 2)


def _health(endpoint: Endpoint) -> str:
    if endpoint.is_healthy:
        return "DEGRADED" if endpoint.is_degraded else "HEALTHY"
    return "EJECTED" if endpoint.is_ejected else "UNHEALTHY"
