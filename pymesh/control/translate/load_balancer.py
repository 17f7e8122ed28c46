"""A cluster's lb_policy and the parameters of its hash tables."""

from typing import Any

from pymesh.control.model.destination_rule import ConsistentHashLB, LoadBalancerSettings

_MINIMUM_RING_SIZE = 1024
_MAGLEV_TABLE_SIZE = 65537
_SIMPLE = {"RANDOM": "RANDOM", "ROUND_ROBIN": "ROUND_ROBIN"}  # whatever else is LEAST_REQUEST


def build_load_balancer(settings: LoadBalancerSettings | None) -> dict[str, Any]:
    if settings is None:
        return {"lb_policy": "LEAST_REQUEST"}
    if settings.consistent_hash is not None:
        return _hashing(settings.consistent_hash)
    return {"lb_policy": _SIMPLE.get(settings.simple or "", "LEAST_REQUEST")}


def _hashing(settings: ConsistentHashLB) -> dict[str, Any]:
    if settings.maglev is not None:
        table_size = settings.maglev.table_size or _MAGLEV_TABLE_SIZE
        return {"lb_policy": "MAGLEV", "maglev_lb_config": {"table_size": table_size}}
    ring = settings.ring_hash.minimum_ring_size if settings.ring_hash is not None else settings.minimum_ring_size
    return {"lb_policy": "RING_HASH", "ring_hash_lb_config": {"minimum_ring_size": ring or _MINIMUM_RING_SIZE}}
