"""/listeners and /clusters of all workers as those of one proxy: figures add up, what is configured is alike. No IO."""

from collections.abc import Iterable
from typing import Any

from pymesh.proxy.workers.messages import Descriptions

Description = dict[str, Any]

_BAD_HEALTH_FIRST = ("EJECTED", "UNHEALTHY", "DEGRADED", "HEALTHY")
_COUNTS_OF_AN_ENDPOINT = ("cx_active", "rq_active", "rq_total", "rq_error")
_STATES = ("healthy", "degraded")  # of endpoints by a worker's health checks; all else there are counts


def merge_listeners(of_workers: Iterable[Descriptions]) -> Descriptions:
    """Of what Listener.describe returns."""
    return [_merge_listener(same) for same in _by(of_workers, "name")]


def merge_clusters(of_workers: Iterable[Descriptions]) -> Descriptions:
    """Of what Cluster.describe returns. An endpoint that one worker has ejected is shown as ejected."""
    return [_merge_cluster(same) for same in _by(of_workers, "name")]


def _merge_listener(same: Descriptions) -> Description:
    return same[0] | {"stats": _sum(item["stats"] for item in same)}


def _merge_cluster(same: Descriptions) -> Description:
    return {name: _merge_field(name, [item[name] for item in same if name in item]) for name in same[0]}


def _merge_field(name: str, values: list[Any]) -> Any:
    match name:
        case "circuit_breakers" | "high_priority_circuit_breakers":
            return {breaker: _merge_breaker([value[breaker] for value in values]) for breaker in values[0]}
        case "stats" | "ejections" | "ejections_detected":
            return _sum(values)
        case "health_check":
            return _sum(values) | {key: max(value[key] for value in values) for key in _STATES if key in values[0]}
        case "ejections_overflow":
            return sum(values)
        case "ejections_active" | "is_panicking":
            return max(values)
        case "endpoints":
            return [_merge_endpoint(group) for group in _by(values, "address")]
    return values[0]


def _merge_breaker(same: Descriptions) -> Description:
    merged = _sum(same) | {"limit": same[0]["limit"]}
    return merged | {"remaining": max(0, merged["limit"] - merged["active"])} if "remaining" in merged else merged


def _merge_endpoint(same: Descriptions) -> Description:
    counts = _sum({name: item[name] for name in _COUNTS_OF_AN_ENDPOINT} for item in same)
    return min(same, key=lambda item: _BAD_HEALTH_FIRST.index(item["health"])) | counts


def _by(of_workers: Iterable[Descriptions], key: str) -> list[Descriptions]:
    """What has the same name, in the order of the first worker."""
    found: dict[str, Descriptions] = {}
    for items in of_workers:
        for item in items:
            found.setdefault(item[key], []).append(item)
    return list(found.values())


def _sum(items: Iterable[dict[str, Any]]) -> dict[str, Any]:
    total: dict[str, Any] = {}
    for item in items:
        for key, value in item.items():
            total[key] = total.get(key, 0) + value
    return total
