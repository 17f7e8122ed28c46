from dataclasses import replace

import pytest

from pymesh.proxy.telemetry.proxy_metrics import ProxyMetrics
from pymesh.proxy.tls.secrets import SecretStore
from pymesh.proxy.upstream import cluster_manager
from pymesh.proxy.upstream.circuit_breaker import CircuitBreakerThresholds
from pymesh.proxy.upstream.cluster_config import ClusterConfig
from pymesh.proxy.upstream.cluster_manager import ClusterManager
from pymesh.proxy.upstream.endpoint import ClusterLoadAssignment, EndpointConfig
from pymesh.proxy.upstream.load_balancer import NO_CONTEXT
from pymesh.proxy.upstream.outlier_detection import OutlierDetectionConfig

A = EndpointConfig("10.0.0.1", 80)
ONE = ClusterLoadAssignment("payment", (A,))
EDS = ClusterConfig("payment")
NAMED = ClusterConfig(
    "db", "STRICT_DNS", load_assignment=ClusterLoadAssignment("db", (EndpointConfig("db.example.com", 5432),))
)


@pytest.fixture
def manager(clock, resolver):
    return ClusterManager(SecretStore(), clock=clock, resolver=resolver)


def test_a_cluster_is_found_by_its_name(manager):
    manager.apply_cluster(EDS)
    assert manager.get("payment").name == "payment"
    assert manager.get("other") is None
    assert [cluster.name for cluster in manager] == ["payment"]


def test_endpoints_that_come_first_wait_for_their_cluster(manager):
    manager.apply_endpoints(ONE)
    manager.apply_cluster(EDS)
    assert manager.get("payment").choose_endpoint(NO_CONTEXT).host == A.host


async def test_a_new_cluster_has_its_names_answered_once_it_is_warm(manager, resolver):
    resolver.answers["db.example.com"] = ("10.1.0.1",)
    manager.apply_cluster(NAMED)
    assert manager.get("db").endpoints == []
    await manager.warm()
    assert [endpoint.host for endpoint in manager.get("db").endpoints] == ["10.1.0.1"]


async def test_a_resolver_that_hangs_is_waited_for_once_and_not_for_long(manager, resolver, monkeypatch):
    monkeypatch.setattr(cluster_manager, "WARMING_SECONDS", 0.01)
    resolver.hanging.add("db.example.com")
    manager.apply_cluster(NAMED)
    await manager.warm()
    monkeypatch.setattr(cluster_manager, "WARMING_SECONDS", 60.0)
    await manager.warm()
    assert manager.get("db").endpoints == []
    manager.close()


def test_a_changed_cluster_is_the_same_object(manager):
    manager.apply_cluster(EDS)
    manager.apply_endpoints(ONE)
    cluster, endpoint = manager.get("payment"), manager.get("payment").endpoints[0]
    manager.apply_cluster(replace(EDS, connect_timeout=1))
    assert manager.get("payment") is cluster
    assert cluster.endpoints == [endpoint]
    assert cluster.connect_timeout == 1


def test_a_cluster_of_another_type_replaces_the_old_one(manager, make_pool):
    manager.apply_cluster(EDS)
    manager.apply_endpoints(ONE)
    endpoint = manager.get("payment").endpoints[0]
    endpoint.pool = make_pool()
    manager.apply_cluster(ClusterConfig("payment", type="STATIC", load_assignment=ONE))
    assert endpoint.pool.is_drained
    assert manager.get("payment").endpoints[0] is not endpoint


def test_a_removed_cluster_is_gone_and_drained(manager, make_pool):
    manager.apply_cluster(EDS)
    manager.apply_endpoints(ONE)
    endpoint = manager.get("payment").endpoints[0]
    endpoint.pool = make_pool()
    manager.remove_cluster("payment")
    manager.remove_cluster("payment")
    assert manager.get("payment") is None
    assert endpoint.pool.is_drained


def test_a_cluster_that_comes_back_finds_its_endpoints(manager):
    manager.apply_cluster(EDS)
    manager.apply_endpoints(ONE)
    manager.remove_cluster("payment")
    manager.apply_cluster(EDS)
    assert manager.get("payment").choose_endpoint(NO_CONTEXT).host == A.host


def test_clusters_may_share_an_assignment_by_their_service_name(manager):
    for name in ("first", "second"):
        manager.apply_cluster(ClusterConfig(name, eds_service_name="payment"))
    manager.apply_endpoints(ONE)
    assert [cluster.choose_endpoint(NO_CONTEXT).host for cluster in manager] == [A.host, A.host]


def test_a_removed_assignment_leaves_the_cluster_its_endpoints(manager):
    manager.apply_cluster(EDS)
    manager.apply_endpoints(ONE)
    manager.remove_endpoints("payment")
    assert manager.get("payment").choose_endpoint(NO_CONTEXT).host == A.host


def test_closing_stops_every_timer(manager, clock):
    manager.apply_cluster(replace(EDS, outlier_detection=OutlierDetectionConfig()))
    assert clock.pending == 1
    manager.close()
    assert clock.pending == 0
    assert list(manager) == []


def test_metrics_are_of_all_clusters_and_do_not_forget_the_removed(clock, resolver):
    metrics = ProxyMetrics()
    manager = ClusterManager(SecretStore(), clock=clock, resolver=resolver, metrics=metrics)

    def shown():
        found = {metric.name.removeprefix("envoy_cluster_upstream_"): value for metric, value in metrics.samples()}
        return {name: found[name] for name in ("cx_total", "cx_active", "rq_retry")}

    for name in ("payment", "db"):
        manager.apply_cluster(ClusterConfig(name))
        manager.get(name).stats.upstream_cx_total += 3
        manager.get(name).stats.upstream_rq_retry += 1
        manager.get(name).circuit_breakers.connections.try_acquire()
    payment = manager.get("payment")
    manager.remove_cluster("payment")
    assert shown() == {"cx_total": 6, "cx_active": 2, "rq_retry": 2}
    payment.circuit_breakers.connections.release()
    assert shown() == {"cx_total": 6, "cx_active": 1, "rq_retry": 2}


def test_metrics_tell_of_health_and_of_what_the_breakers_refused(clock, resolver):
    metrics = ProxyMetrics()
    manager = ClusterManager(SecretStore(), clock=clock, resolver=resolver, metrics=metrics)
    members = tuple(replace(A, port=port, is_healthy=port != 1, is_degraded=port == 2) for port in (1, 2, 3))
    detection = OutlierDetectionConfig(consecutive_5xx=1, max_ejection_percent=50)
    thresholds = CircuitBreakerThresholds(max_connections=0, max_requests=0, max_pending_requests=0, max_retries=0)
    config = replace(
        EDS,
        circuit_breakers=thresholds,
        high_priority_breakers=thresholds,
        outlier_detection=detection,
    )
    manager.apply_cluster(config)
    manager.apply_endpoints(ClusterLoadAssignment(EDS.name, members))
    cluster = manager.get(EDS.name)
    for endpoint in cluster.endpoints[1:]:
        cluster.on_result(endpoint, 500, None)
    for breakers in (cluster.circuit_breakers, cluster.high_priority_breakers):
        for resource in (breakers.connections, breakers.requests, breakers.pending_requests, breakers.retries):
            resource.try_acquire()
    manager.apply_cluster(replace(config, outlier_detection=None))
    shown = {metric.name.removeprefix("envoy_cluster_"): value for metric, value in metrics.samples()}
    assert shown == {
        "upstream_cx_total": 0,
        "upstream_cx_active": 0,
        "upstream_cx_overflow": 2,
        "upstream_rq_retry": 0,
        "upstream_rq_retry_overflow": 2,
        "upstream_rq_pending_overflow": 4,
        "membership_total": 3,
        "membership_healthy": 1,
        "membership_degraded": 1,
        "outlier_detection_ejections_active": 0,
        "outlier_detection_ejections_enforced_total": 1,
        "outlier_detection_ejections_overflow": 1,
        "health_check_attempt": 0,
        "health_check_failure": 0,
    }
