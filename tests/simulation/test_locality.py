"""From a DestinationRule to the endpoint that a proxy chooses, through the proxy's own decoders and balancers."""

from collections import Counter
from types import SimpleNamespace
from typing import Any

from pymesh import xds
from pymesh.protojson import Reader
from pymesh.proxy.tls.secrets import SecretStore
from pymesh.proxy.upstream.cluster import Cluster
from pymesh.proxy.upstream.endpoint import ClusterLoadAssignment
from pymesh.proxy.upstream.load_balancer import NO_CONTEXT
from pymesh.proxy.xds.cds import decode_cluster
from pymesh.proxy.xds.eds import decode_cluster_load_assignment

SHOP = "outbound|80||shop.default.svc.cluster.local"
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: shop}\nspec: {selector: {app: shop}, ports: [{port: 80}]}\n"


def entry(number: int, locality: str, tier: str = "gold") -> str:
    return f"""---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {{name: shop-{number}}}
spec: {{address: 10.0.0.{number}, labels: {{app: shop, tier: {tier}}}, locality: {locality}}}
"""


def rule(policy: str) -> str:
    return f"""---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: shop}}
spec: {{host: shop, trafficPolicy: {{{policy}}}}}
"""


MESH = SERVICE + entry(1, "eu/berlin/r1") + entry(2, "eu/paris/r1", "silver") + entry(3, "us/ohio/r1")
EJECTS = "outlierDetection: {consecutive5xxErrors: 1, maxEjectionPercent: 100}"


class Clock:
    def time(self) -> float:
        return 100.0

    def call_at(self, when: float, callback: Any) -> Any:
        return SimpleNamespace(cancel=lambda: None)


def shop(simulation: Any) -> Cluster:
    cluster = Cluster(decode_cluster(Reader(simulation.resources[xds.CLUSTER][SHOP])), SecretStore(), clock=Clock())
    cluster.apply_endpoints(decode_cluster_load_assignment(Reader(simulation.resources[xds.ENDPOINT][SHOP])))
    return cluster


def shares(cluster: Cluster) -> dict[str, int]:
    chosen = (cluster.choose_endpoint(NO_CONTEXT) for _ in range(100))
    return dict(Counter(endpoint.host.removeprefix("10.0.0.") for endpoint in chosen if endpoint is not None))


def fail(cluster: Cluster, number: int) -> None:
    cluster.on_result(next(e for e in cluster.endpoints if e.host == f"10.0.0.{number}"), 500, None)


def test_requests_stay_near_and_go_on_when_the_near_fail(sidecar):
    cluster = shop(sidecar(MESH + rule(EJECTS), locality="eu/berlin/r1"))
    assert set(shares(cluster)) == {"1"}
    fail(cluster, 1)
    assert set(shares(cluster)) == {"2"}
    fail(cluster, 2)
    assert set(shares(cluster)) == {"3"}


def test_each_proxy_has_its_own_near(sidecar):
    assert set(shares(shop(sidecar(MESH + rule(EJECTS), locality="us/ohio/r2")))) == {"3"}
    assert set(shares(shop(sidecar(MESH + rule(EJECTS), locality="asia")))) == {"1", "2", "3"}


def test_without_outlier_detection_all_serve(sidecar):
    assert set(shares(shop(sidecar(MESH, locality="eu/berlin/r1")))) == {"1", "2", "3"}


def test_traffic_distribution_prefers_the_zone_without_outlier_detection(sidecar):
    near = MESH.replace("{selector:", "{trafficDistribution: PreferClose, selector:")
    assert set(shares(shop(sidecar(near, locality="eu/berlin/r1")))) == {"1"}
    assert set(shares(shop(sidecar(near, locality="eu/berlin/r9")))) == {"1"}
    assert set(shares(shop(sidecar(near, locality="eu/rome/r1")))) == {"1", "2"}
    assert set(shares(shop(sidecar(near, locality="asia")))) == {"1", "2", "3"}


def test_traffic_distribution_may_prefer_the_machine(sidecar):
    entries = "".join(
        entry(number, "eu/berlin/r1").replace("tier: gold", f"kubernetes.io/hostname: host-{number}")
        for number in (1, 2)
    )
    service = SERVICE.replace("{selector:", "{trafficDistribution: PreferSameNode, selector:")
    labels = {"kubernetes.io/hostname": "host-2"}
    assert set(shares(shop(sidecar(service + entries, locality="eu/berlin/r1", labels=labels)))) == {"2"}
    assert set(shares(shop(sidecar(service + entries, locality="eu/berlin/r1")))) == {"1", "2"}


def test_annotation_goes_before_traffic_distribution_and_a_rule_before_both(sidecar):
    noted = "{name: shop, annotations: {networking.istio.io/traffic-distribution: preferclose}}"
    near = MESH.replace("{name: shop}", noted, 1)
    assert set(shares(shop(sidecar(near, locality="eu/berlin/r1")))) == {"1"}
    off = rule("loadBalancer: {localityLbSetting: {enabled: false}}")
    assert set(shares(shop(sidecar(near + off, locality="eu/berlin/r1")))) == {"1", "2", "3"}
    far = near.replace("preferclose", "whatever")
    assert set(shares(shop(sidecar(far, locality="eu/berlin/r1")))) == {"1", "2", "3"}


def test_a_rule_or_the_mesh_may_switch_it_off(sidecar):
    off = "loadBalancer: {localityLbSetting: {enabled: false}}"
    assert set(shares(shop(sidecar(MESH + rule(f"{EJECTS}, {off}"), locality="eu")))) == {"1", "2", "3"}
    mesh = {"localityLbSetting": {"enabled": False}}
    assert set(shares(shop(sidecar(MESH + rule(EJECTS), locality="eu", **mesh)))) == {"1", "2", "3"}


def test_weights_say_where_requests_go(sidecar):
    setting = "distribute: [{from: eu/*, to: {eu/berlin: 20, us: 80}}]"
    policy = f"loadBalancer: {{simple: ROUND_ROBIN, localityLbSetting: {{{setting}}}}}"
    assert shares(shop(sidecar(MESH + rule(policy), locality="eu/berlin/r1"))) == {"1": 20, "3": 80}


def test_labels_may_come_before_nearness(sidecar):
    policy = f"{EJECTS}, loadBalancer: {{localityLbSetting: {{failoverPriority: [tier]}}}}"
    silver = shop(sidecar(MESH + rule(policy), locality="eu/berlin/r1", labels={"tier": "silver"}))
    assert set(shares(silver)) == {"2"}
    fail(silver, 2)
    assert set(shares(silver)) == {"1", "3"}


def test_a_warm_up_is_a_slow_start(sidecar):
    cluster = shop(sidecar(MESH + rule("loadBalancer: {simple: ROUND_ROBIN, warmup: {duration: 60s}}")))
    old, *new = cluster.endpoints
    old.healthy_since = 0.0
    for endpoint in new:
        endpoint.healthy_since = 100.0
    cluster.apply_endpoints(ClusterLoadAssignment(SHOP, tuple(endpoint.config for endpoint in cluster.endpoints)))
    assert shares(cluster)["1"] > 70


def test_a_retry_budget_is_the_clusters(sidecar):
    cluster = shop(sidecar(MESH + rule("retryBudget: {percent: 50, minRetryConcurrency: 1}")))
    for _ in range(10):
        cluster.circuit_breakers.requests.try_acquire()
    assert [cluster.circuit_breakers.retries.try_acquire() for _ in range(6)] == [True] * 5 + [False]
