"""RouteContext: where a route will stand, on which half of its translation depends."""

from dataclasses import dataclass

from pymesh.control.model.messages import Destination
from pymesh.control.model.virtual_service import HTTPMatchRequest, L4MatchAttributes, TLSMatchAttributes
from pymesh.control.snapshot.mesh_service import MeshService
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.snapshot.virtual_services import VirtualServiceRule
from pymesh.names import MESH_GATEWAY, outbound_cluster, resolve_gateway, resolve_host

AnyMatch = HTTPMatchRequest | L4MatchAttributes | TLSMatchAttributes


@dataclass(frozen=True, slots=True, eq=False)
class RouteContext:
    """`gateway` is `mesh` or `namespace/name`; `port` the service's port that a sidecar's client means, or the port of
    a Gateway's server; `is_tls`: it serves HTTPS.
    """

    view: ProxyView
    rule: VirtualServiceRule
    port: int
    gateway: str = MESH_GATEWAY
    is_tls: bool = False

    def applies(self, match: AnyMatch) -> bool:
        """Decides what is known before any request: gateways, port and source.

        Gateways in the match replace the rule's, and with them labels and namespace are not asked for.
        Istio: sourceMatchHTTP in pilot/pkg/networking/core/route/route.go.
        """
        if match.port and match.port != self.port:
            return False
        if match.gateways:
            return self.gateway in self._resolved(match.gateways)
        if match.source_namespace and match.source_namespace != self.view.namespace:
            return False
        return match.source_labels.items() <= self.view.labels.items()

    def applies_l4(self, match: L4MatchAttributes | TLSMatchAttributes) -> bool:
        """Of connections labels and namespace are asked for even where the match names gateways.

        Istio: matchTCP and matchTLS in pilot/pkg/networking/core/tls.go.
        """
        if match.source_namespace and match.source_namespace != self.view.namespace:
            return False
        return self.applies(match) and match.source_labels.items() <= self.view.labels.items()

    def applies_at_gateway(self, match: L4MatchAttributes | TLSMatchAttributes) -> bool:
        """Of connections to a gateway only port and gateway are asked for.

        Istio: l4SingleMatch in pilot/pkg/networking/core/gateway.go.
        """
        if match.port and match.port != self.port:
            return False
        return not match.gateways or self.gateway in self._resolved(match.gateways)

    def _resolved(self, gateways: tuple[str, ...]) -> set[str]:
        return {resolve_gateway(name, self.rule.namespace) for name in gateways}

    def service(self, destination: Destination) -> MeshService | None:
        return self.view.service(self._host(destination))

    def cluster(self, destination: Destination) -> str:
        """Without a port: the service's only one, or else the listener's. The cluster may not exist: that is a 503."""
        service = self.service(destination)
        port = self.port
        if destination.port is not None:
            port = destination.port.number
        elif service is not None and len(service.ports) == 1:
            port = service.ports[0].number
        return outbound_cluster(self._host(destination), port, destination.subset)

    def _host(self, destination: Destination) -> str:
        return resolve_host(destination.host, self.rule.namespace).lower()
