"""Cluster.circuit_breakers -> CircuitBreakerThresholds. Pure."""

from pymesh.protojson import Reader
from pymesh.proxy.upstream.circuit_breaker import CircuitBreakerThresholds, RetryBudget


def decode_circuit_breakers(reader: Reader) -> CircuitBreakerThresholds:
    """https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/cluster/v3/circuit_breaker.proto"""
    breakers = reader.object("circuit_breakers")
    config = CircuitBreakerThresholds()
    for thresholds in breakers.objects("thresholds") if breakers is not None else ():
        # Routes have the priority DEFAULT: nothing would ever count against another.
        thresholds.enum("priority", ("DEFAULT",))
        # More statistics; and one pool for each endpoint is all that there is.
        thresholds.ignore("track_remaining", "max_connection_pools")
        config = CircuitBreakerThresholds(
            max_connections=thresholds.integer("max_connections", config.max_connections),
            max_pending_requests=thresholds.integer("max_pending_requests", config.max_pending_requests),
            max_requests=thresholds.integer("max_requests", config.max_requests),
            max_retries=thresholds.integer("max_retries", config.max_retries),
            retry_budget=_decode_retry_budget(thresholds),
        )
    return config


def _decode_retry_budget(reader: Reader) -> RetryBudget | None:
    # "budget_percent ... defaults to 20%", "min_retry_concurrency ... defaults to 3"
    budget = reader.object("retry_budget")
    if budget is None:
        return None
    percent = budget.percent("budget_percent")
    return RetryBudget(20.0 if percent is None else percent, budget.integer("min_retry_concurrency", 3))
