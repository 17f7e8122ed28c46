"""What it costs to choose an endpoint among ten, and to note what came of it: once a request each."""

from collections.abc import Callable
from typing import Any

import pytest

from pymesh.proxy.tls.secrets import SecretStore
from pymesh.proxy.upstream.cluster import Cluster
from pymesh.proxy.upstream.cluster_config import ClusterConfig
from pymesh.proxy.upstream.endpoint import ClusterLoadAssignment, EndpointConfig
from pymesh.proxy.upstream.lb_policy import LoadBalancerConfig
from pymesh.proxy.upstream.load_balancer import LoadBalancerContext
from pymesh.proxy.upstream.outlier_detection import OutlierDetectionConfig

Benchmark = Callable[..., Any]


class _Clock:
    def time(self) -> float:
        return 0.0

    def call_at(self, when: float, callback: Any) -> Any: ...


def _cluster(policy: str = "LEAST_REQUEST", weights: tuple[int, ...] = (1,) * 10, **fields: Any) -> Cluster:
    endpoints = tuple(EndpointConfig(f"10.0.0.{i}", 80, weight=weight) for i, weight in enumerate(weights))
    assignment = ClusterLoadAssignment("payment", endpoints)
    config = ClusterConfig(
        "payment", type="STATIC", load_assignment=assignment, load_balancer=LoadBalancerConfig(policy), **fields
    )
    return Cluster(config, SecretStore(), clock=_Clock())


@pytest.mark.parametrize("policy", ["LEAST_REQUEST", "ROUND_ROBIN", "RANDOM", "RING_HASH", "MAGLEV"])
@pytest.mark.parametrize("weights", [(1,) * 10, (1, 2, 3, 4, 5) * 2], ids=["equal", "weighted"])
def test_choose_endpoint(benchmark: Benchmark, policy: str, weights: tuple[int, ...]) -> None:
    cluster = _cluster(policy, weights)
    benchmark(cluster.choose_endpoint, LoadBalancerContext(hash=0x9E3779B97F4A7C15))


def test_choose_the_only_endpoint(benchmark: Benchmark) -> None:
    benchmark(_cluster(weights=(1,)).choose_endpoint, LoadBalancerContext())


@pytest.mark.parametrize("detection", [None, OutlierDetectionConfig()], ids=["plain", "with outlier detection"])
def test_on_result(benchmark: Benchmark, detection: OutlierDetectionConfig | None) -> None:
    cluster = _cluster(outlier_detection=detection)
    benchmark(cluster.on_result, cluster.endpoints[0], 200, None)
