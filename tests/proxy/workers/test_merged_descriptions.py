from typing import Any

from pymesh.proxy.workers.merged_descriptions import merge_clusters, merge_listeners


def cluster(**fields: Any) -> dict[str, Any]:
    breakers = {"requests": {"limit": 10, "active": 1, "overflow": 2}}
    return {
        "name": "c",
        "type": "EDS",
        "circuit_breakers": breakers,
        "stats": {"upstream_cx_total": 3},
        "is_panicking": False,
        "ejections": {},
        "ejections_overflow": 0,
        "endpoints": [],
    } | fields


def endpoint(address: str, **fields: Any) -> dict[str, Any]:
    counts = {"cx_active": 1, "rq_active": 1, "rq_total": 5, "rq_error": 2}
    return {"address": address, "weight": 3, "priority": 0, "health": "HEALTHY"} | counts | fields


def test_a_listener_is_one_whose_counters_add_up() -> None:
    one = {"name": "http_proxy", "port": 15001, "filter_chains": ["x"], "stats": {"downstream_cx_total": 3}}
    two = one | {"stats": {"downstream_cx_total": 4}}
    assert merge_listeners([[one], [two]]) == [one | {"stats": {"downstream_cx_total": 7}}]


def test_what_a_cluster_counts_adds_up_and_its_limits_do_not() -> None:
    (merged,) = merge_clusters([[cluster()], [cluster(ejections={"consecutive_5xx": 1}, is_panicking=True)]])
    assert merged["circuit_breakers"] == {"requests": {"limit": 10, "active": 2, "overflow": 4}}
    assert merged["stats"] == {"upstream_cx_total": 6}
    assert merged["ejections"] == {"consecutive_5xx": 1}
    assert merged["is_panicking"]


def test_what_remains_of_a_limit_is_the_rest_for_all_workers() -> None:
    breakers = {"requests": {"limit": 3, "active": 2, "overflow": 0, "remaining": 1}}
    (merged,) = merge_clusters([[cluster(high_priority_circuit_breakers=breakers)]] * 2)
    assert merged["high_priority_circuit_breakers"]["requests"]["remaining"] == 0


def test_health_checks_add_up_and_the_endpoints_do_not() -> None:
    checks = {"attempt": 4, "healthy": 2, "degraded": 0}
    (merged,) = merge_clusters([[cluster(health_check=checks)]] * 2)
    assert merged["health_check"] == {"attempt": 8, "healthy": 2, "degraded": 0}


def test_an_endpoint_that_any_worker_has_ejected_is_shown_as_ejected() -> None:
    of_workers = [[cluster(endpoints=[endpoint("10.0.0.1:80", health=health)])] for health in ("HEALTHY", "EJECTED")]
    (found,) = merge_clusters(of_workers)[0]["endpoints"]
    assert found == endpoint("10.0.0.1:80", health="EJECTED", cx_active=2, rq_active=2, rq_total=10, rq_error=4)


def test_what_only_one_worker_knows_already_is_shown_too() -> None:
    one, two = cluster(endpoints=[endpoint("10.0.0.1:80")]), cluster(endpoints=[endpoint("10.0.0.2:80")])
    merged = merge_clusters([[one], [two, cluster(name="d")]])
    assert [item["name"] for item in merged] == ["c", "d"]
    assert [item["address"] for item in merged[0]["endpoints"]] == ["10.0.0.1:80", "10.0.0.2:80"]


def test_no_worker_describes_nothing() -> None:
    assert merge_clusters([]) == merge_listeners([]) == []
