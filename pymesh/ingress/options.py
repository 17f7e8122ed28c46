"""What the flags of a gateway say, decoded."""

from dataclasses import dataclass, field

from pymesh.names import ROOT_NAMESPACE
from pymesh.proxy.options import ProxyOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayOptions:
    """`port_map`: the port that is bound for a Gateway's port; without an entry the control plane has a rule."""

    proxy: ProxyOptions
    name: str = "ingressgateway"
    namespace: str = ROOT_NAMESPACE
    labels: dict[str, str] = field(default_factory=dict)
    port_map: dict[int, int] = field(default_factory=dict)

    @property
    def workload_name(self) -> str:
        return f"istio-{self.name}"

    @property
    def service_account(self) -> str:
        return f"{self.name}-service-account"
