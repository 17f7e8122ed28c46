"""The clusters by name. xds/runtime.py is the only one who changes them."""

import asyncio
from collections.abc import Callable, Iterator
from random import random

from pymesh.proxy.timers import Clock
from pymesh.proxy.tls.secrets import SecretStore
from pymesh.proxy.upstream.cluster import EDS, Cluster, ClusterConfig
from pymesh.proxy.upstream.dns import Resolver, SystemResolver
from pymesh.proxy.upstream.endpoint import ClusterLoadAssignment
from pymesh.tasks import TaskGroup


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
    ) -> None:
        self._secrets = secrets
        self._clock = clock or asyncio.get_running_loop()
        self._tasks = tasks or TaskGroup()
        self._resolver = resolver or SystemResolver()
        self._random = random_value
        self._clusters: dict[str, Cluster] = {}
        # By its own name, which several clusters may share; kept for a cluster that comes or comes back later.
        self._assignments: dict[str, ClusterLoadAssignment] = {}
        self.get = self._clusters.get

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
        if config.type == EDS and (assignment := self._assignments.get(config.endpoints_name)) is not None:
            cluster.apply_endpoints(assignment)

    def remove_cluster(self, name: str) -> None:
        """Its idle connections are closed; requests in flight finish."""
        cluster = self._clusters.pop(name, None)
        if cluster is not None:
            cluster.close()

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
        )
