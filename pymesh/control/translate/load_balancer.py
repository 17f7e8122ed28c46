"""A cluster's lb_policy, the parameters of its hash tables and its slow start."""

from typing import Any

from pymesh.control.model.destination_rule import ConsistentHashLB, LoadBalancerSettings
from pymesh.control.translate.config_source import duration

_MINIMUM_RING_SIZE = 1024
_MAGLEV_TABLE_SIZE = 65537
_MINIMUM_PERCENT = 10.0  # of its weight that a new endpoint has at once
_SIMPLE = {"RANDOM": "RANDOM", "ROUND_ROBIN": "ROUND_ROBIN"}  # whatever else is LEAST_REQUEST


def build_load_balancer(settings: LoadBalancerSettings | None) -> dict[str, Any]:
    if settings is None:
        return {"lb_policy": "LEAST_REQUEST"}
    if settings.consistent_hash is not None:
        return _hashing(settings.consistent_hash)
    policy = _SIMPLE.get(settings.simple or "", "LEAST_REQUEST")
    slow_start = _slow_start(settings)
    if not slow_start or policy == "RANDOM":
        return {"lb_policy": policy}
    key = "round_robin_lb_config" if policy == "ROUND_ROBIN" else "least_request_lb_config"
    return {"lb_policy": policy, key: {"slow_start_config": slow_start}}


def _slow_start(settings: LoadBalancerSettings) -> dict[str, Any]:
    """Istio: setWarmup; only for the policies that go by turns or by load."""
    warmup = settings.warmup
    if warmup is None:
        return {"slow_start_window": duration(settings.warmup_duration_secs)} if settings.warmup_duration_secs else {}
    percent = _MINIMUM_PERCENT if warmup.minimum_percent is None else warmup.minimum_percent
    config: dict[str, Any] = {
        "slow_start_window": duration(warmup.duration),
        "min_weight_percent": {"value": percent},
    }
    if warmup.aggression is not None:
        # Envoy wants a key with every value that its runtime could change.
        config["aggression"] = {"default_value": warmup.aggression, "runtime_key": "slow_start.aggression"}
    return config


def _hashing(settings: ConsistentHashLB) -> dict[str, Any]:
    if settings.maglev is not None:
        table_size = settings.maglev.table_size or _MAGLEV_TABLE_SIZE
        return {"lb_policy": "MAGLEV", "maglev_lb_config": {"table_size": table_size}}
    ring = settings.ring_hash.minimum_ring_size if settings.ring_hash is not None else settings.minimum_ring_size
    return {"lb_policy": "RING_HASH", "ring_hash_lb_config": {"minimum_ring_size": ring or _MINIMUM_RING_SIZE}}
