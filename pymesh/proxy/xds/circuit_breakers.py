"""Cluster.circuit_breakers -> CircuitBreakerThresholds. Pure."""

from dataclasses import replace
from typing import NamedTuple

from pymesh.protojson import Reader
from pymesh.proxy.upstream.circuit_breaker import CircuitBreakerThresholds, RetryBudget

_PRIORITIES = ("DEFAULT", "HIGH")


class BreakersByPriority(NamedTuple):
    default: CircuitBreakerThresholds = CircuitBreakerThresholds()
    high: CircuitBreakerThresholds = CircuitBreakerThresholds()


def decode_circuit_breakers(reader: Reader) -> BreakersByPriority:
    """https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/cluster/v3/circuit_breaker.proto

    "If multiple Thresholds are defined with the same RoutingPriority, the first one in the list is used."
    """
    breakers = reader.object("circuit_breakers")
    if breakers is None:
        return BreakersByPriority()
    found: dict[str, CircuitBreakerThresholds] = {}
    for thresholds in breakers.objects("thresholds"):
        found.setdefault(_priority(thresholds), _decode_thresholds(thresholds))
    per_host: dict[str, int | None] = {}
    for thresholds in breakers.objects("per_host_thresholds"):
        # Envoy: what else thresholds have does not hold for one endpoint.
        per_host.setdefault(_priority(thresholds), thresholds.optional_integer("max_connections"))
    return BreakersByPriority(
        *(
            replace(found.get(priority, CircuitBreakerThresholds()), max_connections_per_host=per_host.get(priority))
            for priority in _PRIORITIES
        )
    )


def _priority(reader: Reader) -> str:
    return reader.enum("priority", _PRIORITIES)


def _decode_thresholds(reader: Reader) -> CircuitBreakerThresholds:
    reader.ignore("max_connection_pools")  # one for each endpoint and priority is all that there is
    default = CircuitBreakerThresholds()
    return CircuitBreakerThresholds(
        max_connections=reader.integer("max_connections", default.max_connections),
        max_pending_requests=reader.integer("max_pending_requests", default.max_pending_requests),
        max_requests=reader.integer("max_requests", default.max_requests),
        max_retries=reader.integer("max_retries", default.max_retries),
        retry_budget=_decode_retry_budget(reader),
        track_remaining=reader.boolean("track_remaining"),
    )


def _decode_retry_budget(reader: Reader) -> RetryBudget | None:
    # "budget_percent ... defaults to 20%", "min_retry_concurrency ... defaults to 3"
    budget = reader.object("retry_budget")
    if budget is None:
        return None
    percent = budget.percent("budget_percent")
    return RetryBudget(20.0 if percent is None else percent, budget.integer("min_retry_concurrency", 3))
