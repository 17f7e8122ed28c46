from dataclasses import replace

import pytest

from pymesh.proxy.tls.config import CommonTlsConfig, UpstreamTlsConfig
from pymesh.proxy.tls.secrets import SecretStore
from pymesh.proxy.upstream.circuit_breaker import CircuitBreakerThresholds, RetryBudget
from pymesh.proxy.upstream.cluster import Cluster
from pymesh.proxy.upstream.cluster_config import ClusterConfig, Service
from pymesh.proxy.upstream.dns import DnsConfig
from pymesh.proxy.upstream.endpoint import ClusterLoadAssignment, EndpointConfig
from pymesh.proxy.upstream.lb_policy import LoadBalancerConfig
from pymesh.proxy.upstream.load_balancer import NO_CONTEXT, LoadBalancerContext
from pymesh.proxy.upstream.outlier_detection import OutlierDetectionConfig
from pymesh.proxy.upstream.transport_socket_matcher import TransportSocketMatch, TransportSocketsConfig

A, B = EndpointConfig("10.0.0.1", 80), EndpointConfig("10.0.0.2", 80)
BOTH = ClusterLoadAssignment("payment", (A, B))
STATIC = ClusterConfig("payment", type="STATIC", load_assignment=BOTH, panic_threshold=0)
DETECTION = OutlierDetectionConfig(consecutive_5xx=2, max_ejection_percent=50, enforcing_success_rate=0)
PAYMENT = Service("payment", "default", "payment.default.svc.cluster.local")
MTLS = UpstreamTlsConfig(CommonTlsConfig(certificate_secrets=("default",), validation_secret="ROOTCA"), sni="payment")
AUTO_MTLS = TransportSocketsConfig(
    matches=(
        TransportSocketMatch("tlsMode-istio", {"tlsMode": "istio"}, MTLS),
        TransportSocketMatch("tlsMode-disabled", {}, None),
    )
)
IN_MESH = replace(A, transport_socket_match={"tlsMode": "istio"})


@pytest.fixture
def make_cluster(clock, resolver):
    return lambda config: Cluster(config, SecretStore(), clock=clock, resolver=resolver)


def hosts(cluster: Cluster, times: int = 20) -> set[str | None]:
    found = (cluster.choose_endpoint(NO_CONTEXT) for _ in range(times))
    return {endpoint and endpoint.host for endpoint in found}


def test_a_static_cluster_has_its_endpoints_at_once(make_cluster):
    assert hosts(make_cluster(STATIC)) == {A.host, B.host}


def test_an_eds_cluster_has_none_until_they_come(make_cluster):
    cluster = make_cluster(ClusterConfig("payment"))
    assert cluster.choose_endpoint(NO_CONTEXT) is None
    cluster.apply_endpoints(BOTH)
    assert hosts(cluster) == {A.host, B.host}


def test_a_cluster_without_endpoints_chooses_nobody(make_cluster):
    assert make_cluster(ClusterConfig("BlackHoleCluster", type="STATIC")).choose_endpoint(NO_CONTEXT) is None


def test_another_config_keeps_endpoints_connections_and_counts(make_cluster, make_pool):
    cluster = make_cluster(STATIC)
    endpoint = cluster.endpoints[0]
    endpoint.pool = make_pool()
    cluster.circuit_breakers.requests.try_acquire()
    thresholds = CircuitBreakerThresholds(max_requests=1)
    cluster.apply(
        replace(STATIC, connect_timeout=9, circuit_breakers=thresholds, load_balancer=LoadBalancerConfig("RANDOM"))
    )
    assert cluster.endpoints[0] is endpoint
    assert not endpoint.pool.is_drained
    assert cluster.connect_timeout == 9
    assert not cluster.circuit_breakers.requests.try_acquire()
    assert hosts(cluster) == {A.host, B.host}


def test_endpoints_speak_the_tls_that_their_metadata_asks_for(make_cluster):
    config = replace(
        STATIC, transport_sockets=AUTO_MTLS, load_assignment=ClusterLoadAssignment("payment", (IN_MESH, B))
    )
    cluster = make_cluster(config)
    meshed, plain = cluster.endpoints
    assert meshed.is_mtls
    assert cluster.tls_for(meshed).server_hostname == "payment"
    assert not plain.is_mtls
    assert cluster.tls_for(plain) is None


def test_equal_tls_keeps_connections_and_other_tls_does_not(make_cluster, make_pool):
    assignment = ClusterLoadAssignment("payment", (IN_MESH,))
    config = replace(STATIC, transport_sockets=AUTO_MTLS, load_assignment=assignment)
    cluster = make_cluster(config)
    endpoint = cluster.endpoints[0]
    endpoint.pool = make_pool()
    cluster.apply(replace(config, connect_timeout=1))
    assert cluster.endpoints[0] is endpoint
    cluster.apply(replace(config, transport_sockets=TransportSocketsConfig()))
    assert cluster.endpoints[0] is not endpoint
    assert endpoint.pool.is_drained
    assert cluster.endpoints[0].tls is None


@pytest.mark.parametrize(
    ("service", "hostname", "name"),
    [
        (PAYMENT, "a.example.com", "payment.default.svc.cluster.local"),
        (PAYMENT._replace(host="*.example.com"), "a.example.com", "a.example.com"),
        (None, "a.example.com", "a.example.com"),
        (None, "", ""),
    ],
)
def test_auto_sni_is_the_services_host_or_the_endpoints_name(make_cluster, service, hostname, name):
    sockets = TransportSocketsConfig(UpstreamTlsConfig(CommonTlsConfig()), auto_sni=True)
    assignment = ClusterLoadAssignment("payment", (replace(A, hostname=hostname),))
    cluster = make_cluster(replace(STATIC, service=service, transport_sockets=sockets, load_assignment=assignment))
    assert cluster.endpoints[0].tls.server_name == name


def test_an_endpoint_that_fails_is_ejected_and_comes_back(make_cluster, clock):
    cluster = make_cluster(replace(STATIC, outlier_detection=DETECTION))
    failing = cluster.endpoints[0]
    cluster.on_result(failing, 503, None)
    cluster.on_result(failing, None, "connection timeout")
    assert hosts(cluster) == {B.host}
    assert cluster.describe()["ejections"] == {"consecutive_5xx": 1}
    clock.advance(30)
    assert hosts(cluster) == {A.host, B.host}


def test_outlier_detection_that_is_switched_off_lets_everybody_in(make_cluster, clock):
    cluster = make_cluster(replace(STATIC, outlier_detection=DETECTION))
    cluster.on_result(cluster.endpoints[0], 503, None)
    cluster.on_result(cluster.endpoints[0], 503, None)
    cluster.apply(STATIC)
    assert hosts(cluster) == {A.host, B.host}
    assert clock.pending == 0


def test_errors_are_counted_without_outlier_detection_too(make_cluster):
    cluster = make_cluster(STATIC)
    cluster.on_result(cluster.endpoints[0], 500, None)
    cluster.on_result(cluster.endpoints[0], 200, None)
    assert cluster.endpoints[0].rq_error == 1


def test_a_closed_cluster_drains_its_pools_and_stops_its_timers(make_cluster, make_pool, clock):
    cluster = make_cluster(replace(STATIC, outlier_detection=DETECTION))
    endpoint = cluster.endpoints[0]
    endpoint.pool = make_pool()
    cluster.close()
    assert endpoint.pool.is_drained
    assert clock.pending == 0
    assert cluster.choose_endpoint(NO_CONTEXT) is None


async def test_a_strict_dns_cluster_has_an_endpoint_for_each_address(make_cluster, resolver, settle):
    resolver.answers["db.example.com"] = ("10.1.0.1", "10.1.0.2")
    assignment = ClusterLoadAssignment("db", (EndpointConfig("db.example.com", 5432),))
    cluster = make_cluster(ClusterConfig("db", type="STRICT_DNS", load_assignment=assignment))
    assert cluster.choose_endpoint(NO_CONTEXT) is None
    await settle()
    assert hosts(cluster) == {"10.1.0.1", "10.1.0.2"}
    assert {endpoint.hostname for endpoint in cluster.endpoints} == {"db.example.com"}
    cluster.close()


async def test_a_dns_cluster_with_another_name_resolves_that(make_cluster, resolver, settle):
    resolver.answers |= {"a.example.com": ("10.1.0.1",), "b.example.com": ("10.1.0.2",)}
    assignments = [ClusterLoadAssignment("db", (EndpointConfig(f"{name}.example.com", 80),)) for name in "ab"]
    config = ClusterConfig("db", type="STRICT_DNS", load_assignment=assignments[0], dns=DnsConfig(60.0))
    cluster = make_cluster(config)
    await settle()
    cluster.apply(replace(config, load_assignment=assignments[1]))
    assert hosts(cluster) == {"10.1.0.1"}
    await settle()
    assert hosts(cluster) == {"10.1.0.2"}
    cluster.close()


async def test_a_dynamic_forward_proxy_goes_where_the_authority_says(make_cluster, resolver, settle):
    resolver.answers["example.com"] = ("10.9.0.1",)
    cluster = make_cluster(ClusterConfig("PassthroughCluster", type="DYNAMIC_FORWARD_PROXY"))
    heard = []
    assert cluster.is_dynamic_forward_proxy
    assert not cluster.resolve(b"example.com:8080", heard.append)
    await settle()
    assert heard == [None]
    endpoint = cluster.choose_endpoint(LoadBalancerContext(authority=b"example.com:8080"))
    assert endpoint.address == "10.9.0.1:8080"
    cluster.close()


def test_the_description_says_what_an_operator_asks_for(make_cluster):
    cluster = make_cluster(replace(STATIC, service=PAYMENT))
    described = cluster.describe()
    assert described["service"] == "payment.default.svc.cluster.local"
    assert [endpoint["address"] for endpoint in described["endpoints"]] == ["10.0.0.1:80", "10.0.0.2:80"]
    assert described["circuit_breakers"]["retries"] == {"limit": 3, "active": 0, "overflow": 0}
    assert described["high_priority_circuit_breakers"]["requests"] == {"limit": 1024, "active": 0, "overflow": 0}
    assert described["default_priority"]["max_retries"] == 3
    assert described["endpoints"][0]["success_rate"] == -1.0


def test_what_remains_of_a_limit_is_shown_where_it_is_tracked(make_cluster):
    budget = RetryBudget()
    thresholds = CircuitBreakerThresholds(max_requests=5, track_remaining=True, retry_budget=budget)
    cluster = make_cluster(replace(STATIC, circuit_breakers=thresholds))
    cluster.circuit_breakers.requests.try_acquire()
    shown = cluster.describe()["circuit_breakers"]
    assert shown["requests"]["remaining"] == 4
    assert "remaining" not in shown["retries"]
