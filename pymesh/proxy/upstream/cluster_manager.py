"""The clusters by name. xds/runtime.py is the only one who changes them."""

from collections.abc import Iterator

from pymesh.proxy.tls.secrets import SecretStore
from pymesh.proxy.upstream.cluster import Cluster, ClusterConfig
from pymesh.proxy.upstream.endpoint import ClusterLoadAssignment


class ClusterManager:
    """`get` is the data path's: one dict lookup."""

    def __init__(self, secrets: SecretStore) -> None:
        self._secrets = secrets
        self._clusters: dict[str, Cluster] = {}
        self.get = self._clusters.get

    def __iter__(self) -> Iterator[Cluster]:
        return iter(self._clusters.values())

    def apply_cluster(self, config: ClusterConfig) -> None:
        """Add a cluster or change it in place: endpoints that stay keep their connections and counters."""
        raise NotImplementedError

    def remove_cluster(self, name: str) -> None:
        """Its idle connections are closed; requests in flight finish."""
        raise NotImplementedError

    def apply_endpoints(self, assignment: ClusterLoadAssignment) -> None:
        """Endpoints of a cluster that is not there yet wait for it."""
        raise NotImplementedError

    def remove_endpoints(self, name: str) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Stop timers and DNS, drain all pools."""
        raise NotImplementedError
