"""The clusters by name. xds/config_writer.py is the only one who changes them."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from random import random

from pymesh.proxy.telemetry.metric_names import Metric
from pymesh.proxy.telemetry.proxy_metrics import ProxyMetrics
from pymesh.proxy.timers import Clock
from pymesh.proxy.tls.secrets import SecretStore
from pymesh.proxy.upstream.circuit_breaker import BuildBreakers, build_own_breakers
from pymesh.proxy.upstream.cluster import Cluster
from pymesh.proxy.upstream.cluster_config import EDS, ClusterConfig
from pymesh.proxy.upstream.cluster_figures import COUNTERS, GAUGES, Figure, active_connections
from pymesh.proxy.upstream.dns import Resolver, SystemResolver
from pymesh.proxy.upstream.endpoint import ClusterLoadAssignment
from pymesh.proxy.upstream.health_check import HealthCheckConfig, HealthMonitor
from pymesh.proxy.upstream.health_checker import HealthChecker
from pymesh.proxy.upstream.transport import Connector, open_transport
from pymesh.tasks import TaskGroup

WARMING_SECONDS = 1.0


class ClusterManager:
    """`get(name) -> Cluster | None` is the data path's: one dict lookup."""

    def __init__(
        self,
        secrets: SecretStore,
        *,
        clock: Clock | None = None,
        tasks: TaskGroup | None = None,
        resolver: Resolver | None = None,
        random_value: Callable[[], float] = random,
        metrics: ProxyMetrics | None = None,
        connector: Connector = open_transport,
        build_breakers: BuildBreakers = build_own_breakers,
    ) -> None:
        """`connector` is the health checks'."""
        self._secrets = secrets
        self._clock = clock or asyncio.get_running_loop()
        self._tasks = tasks or TaskGroup()
        self._resolver = resolver or SystemResolver()
        self._random = random_value
        self._connector = connector
        self._build_breakers = build_breakers
        self._clusters: dict[str, Cluster] = {}
        # By its own name, which several clusters may share; kept for a cluster that comes or comes back later.
        self._assignments: dict[str, ClusterLoadAssignment] = {}
        self._removed: list[Cluster] = []  # that still had connections when we last looked
        self._first_lookups: list[asyncio.Task[None]] = []  # that nobody has waited for
        self._past: Counter[Metric] = Counter()  # of clusters that are gone: a counter never goes down
        self.get = self._clusters.get
        if metrics is not None:
            for metric in COUNTERS:
                metrics.read(metric, partial(self._total, metric))
            for metric, figure in GAUGES.items():
                metrics.read(metric, partial(self._sum, figure))

    def __iter__(self) -> Iterator[Cluster]:
        return iter(self._clusters.values())

    def apply_cluster(self, config: ClusterConfig) -> None:
        """Add a cluster or change it in place: endpoints that stay keep their connections and counters."""
        cluster = self._clusters.get(config.name)
        if cluster is not None and cluster.config.type == config.type:
            if cluster.config == config:
                return
            cluster.apply(config)
        else:
            self.remove_cluster(config.name)
            cluster = self._clusters[config.name] = self._build(config)
            self._first_lookups.extend(cluster.first_lookups)
        if config.type == EDS and (assignment := self._assignments.get(config.endpoints_name)) is not None:
            cluster.apply_endpoints(assignment)

    async def warm(self) -> None:
        """Wait for the first answers to names of new clusters: no route is to lead to one that has no endpoint yet. A
        resolver that is slow is waited for WARMING_SECONDS, and no longer.

        https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/cluster_manager#cluster-warming
        """
        lookups, self._first_lookups = self._first_lookups, []
        if lookups:
            await asyncio.wait(lookups, timeout=WARMING_SECONDS)

    def remove_cluster(self, name: str) -> None:
        """Its idle connections are closed; requests in flight finish."""
        cluster = self._clusters.pop(name, None)
        if cluster is not None:
            cluster.close()
            self._removed.append(cluster)
            self._forget_unused()

    def apply_endpoints(self, assignment: ClusterLoadAssignment) -> None:
        """Endpoints of a cluster that is not there yet wait for it."""
        self._assignments[assignment.cluster_name] = assignment
        for cluster in self._clusters.values():
            if cluster.config.type == EDS and cluster.config.endpoints_name == assignment.cluster_name:
                cluster.apply_endpoints(assignment)

    def remove_endpoints(self, name: str) -> None:
        """Envoy: the assignment goes with its cluster, and a cluster that stays keeps the endpoints it has."""
        self._assignments.pop(name, None)

    def close(self) -> None:
        """Stop timers and DNS, drain all pools."""
        for name in list(self._clusters):
            self.remove_cluster(name)

    def _build(self, config: ClusterConfig) -> Cluster:
        return Cluster(
            config,
            self._secrets,
            clock=self._clock,
            tasks=self._tasks,
            resolver=self._resolver,
            random_value=self._random,
            build_health_checker=self._build_health_checker,
            build_breakers=self._build_breakers,
        )

    def _build_health_checker(self, cluster: Cluster, config: HealthCheckConfig) -> HealthMonitor:
        return HealthChecker(
            cluster,
            config,
            clock=self._clock,
            tasks=self._tasks,
            random_value=self._random,
            connector=self._connector,
        )

    # figures of all clusters

    def _all(self) -> tuple[Cluster, ...]:
        self._forget_unused()
        return (*self._clusters.values(), *self._removed)

    def _total(self, metric: Metric) -> int:
        figure = COUNTERS[metric]
        return self._sum(figure) + self._past[metric]

    def _sum(self, figure: Figure) -> int:
        return sum(map(figure, self._all()))

    def _forget_unused(self) -> None:
        """Of a removed cluster whose last connection is closed only the sums stay."""
        for cluster in self._removed:
            if not active_connections(cluster):
                self._past.update({metric: figure(cluster) for metric, figure in COUNTERS.items()})
        self._removed = [cluster for cluster in self._removed if active_connections(cluster)]
