"""What ProxyConfigs say to a workload: its own, its namespace's, the root namespace's, field by field."""

from pymesh.control.model.proxy_config import ProxyConfig
from pymesh.control.snapshot.workload_levels import WorkloadLevels


class ProxyConfigs(WorkloadLevels[ProxyConfig]):
    """Istio: EffectiveProxyConfig in pilot/pkg/model/proxy_config.go."""

    def environment(self, namespace: str, labels: dict[str, str]) -> dict[str, str]:
        """The variables of the mesh, the namespace and the workload; the nearer one of a name counts."""
        found: dict[str, str] = {}
        for spec in self.applicable(namespace, labels):
            found |= spec.environment_variables
        return found
