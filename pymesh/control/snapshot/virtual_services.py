"""VirtualServices with their names resolved, in the order in which a proxy looks at them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.model.messages import Destination
from pymesh.control.model.resource import Key, Resource
from pymesh.control.model.virtual_service import VirtualService
from pymesh.control.snapshot.host_index import HostIndex
from pymesh.control.snapshot.visibility import Visibility, visibility
from pymesh.names import MESH_GATEWAY, resolve_gateway, resolve_host


class RouteOrigin(NamedTuple):
    """The VirtualService that has an HTTP route, and the number of the route there, from 0."""

    key: Key
    number: int


@dataclass(frozen=True, slots=True, eq=False)
class VirtualServiceRule:
    """A VirtualService whose `hosts` are FQDNs and whose `gateways` are `mesh` or `namespace/name`.

    `origins`: of each HTTP route, if some of them are a delegate's.
    """

    key: Key
    spec: VirtualService
    hosts: tuple[str, ...]
    gateways: frozenset[str]
    visibility: Visibility
    origins: tuple[RouteOrigin, ...] = ()

    def origin(self, index: int) -> RouteOrigin:
        """Of the HTTP route at this place."""
        return self.origins[index] if self.origins else RouteOrigin(self.key, index)

    @property
    def namespace(self) -> str:
        return self.key.namespace

    def destinations(self, namespace: str) -> dict[str, set[int]]:
        """What its routes and mirrors lead clients of a namespace to: FQDNs with the ports that are named, 0 for none.

        Istio: virtualServiceDestinationsFilteredBySourceNamespace in pilot/pkg/model/push_context.go.
        """
        found: dict[str, set[int]] = {}
        for destination in _destinations(self.spec, namespace):
            host = resolve_host(destination.host, self.namespace).lower()
            found.setdefault(host, set()).add(destination.port.number if destination.port is not None else 0)
        return found


def build_virtual_service(
    resource: Resource[VirtualService], mesh: MeshConfig, origins: tuple[RouteOrigin, ...] = ()
) -> VirtualServiceRule:
    spec, namespace = resource.spec, resource.namespace
    return VirtualServiceRule(
        key=resource.key,
        spec=spec,
        hosts=tuple(dict.fromkeys(resolve_host(host, namespace).lower() for host in spec.hosts)),
        gateways=frozenset(resolve_gateway(name, namespace) for name in spec.gateways or (MESH_GATEWAY,)),
        visibility=visibility(spec.export_to, mesh.default_virtual_service_export_to, namespace),
        origins=origins,
    )


def _destinations(spec: VirtualService, namespace: str) -> Iterator[Destination]:
    for http in spec.http:
        if http.match and all(match.source_namespace not in ("", namespace) for match in http.match):
            continue
        mirrored = (http.mirror, *(mirror.destination for mirror in http.mirrors))
        routed = (item.destination for item in http.route)
        yield from (item for item in (*routed, *mirrored) if item is not None)
    l4_routes = (*(route.route for route in spec.tcp), *(route.route for route in spec.tls))
    for targets in l4_routes:
        yield from (item.destination for item in targets if item.destination is not None)


class VirtualServices:
    """Built with rules oldest first. Visibility comes before age: private, then exported to, then public ones."""

    def __init__(self, rules: Iterable[VirtualServiceRule]) -> None:
        self._by_gateway: dict[str, list[VirtualServiceRule]] = {}
        for rule in rules:
            for gateway in rule.gateways:
                self._by_gateway.setdefault(gateway, []).append(rule)

    def of_gateway(self, gateway: str, namespace: str) -> list[VirtualServiceRule]:
        """Those bound to `gateway` (`mesh` for sidecars) that a proxy of `namespace` sees."""
        visible = [rule for rule in self._by_gateway.get(gateway, ()) if rule.visibility.includes(namespace)]
        return sorted(visible, key=lambda rule: rule.visibility.rank(namespace))

    def of_mesh(self, namespace: str) -> HostIndex[VirtualServiceRule]:
        """For sidecars."""
        return index_by_host(self.of_gateway(MESH_GATEWAY, namespace))


def index_by_host(rules: Iterable[VirtualServiceRule]) -> HostIndex[VirtualServiceRule]:
    """For sidecars: rules of one host are not merged; the first wins whole."""
    index: HostIndex[VirtualServiceRule] = HostIndex()
    for rule in rules:
        for host in rule.hosts:
            index.add(host, rule)
    return index


def source_label_keys(rules: Iterable[VirtualServiceRule]) -> Iterator[str]:
    """The labels of a client that some rule asks for."""
    for rule in rules:
        for routes in (rule.spec.http, rule.spec.tcp, rule.spec.tls):
            for route in routes:
                for match in route.match:
                    yield from match.source_labels
