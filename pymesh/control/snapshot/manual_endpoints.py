"""Endpoints and EndpointSlices: the addresses of Services by hand. Beside a selector only slices count.

https://kubernetes.io/docs/concepts/services-networking/service/#services-without-selectors
"""

from collections.abc import Iterable

from pymesh.control.model.endpoints import EndpointPort, Endpoints, EndpointSlice
from pymesh.control.model.resource import Resource
from pymesh.control.snapshot.instance import Instance, build_manual_instance
from pymesh.names import SERVICE_NAME_LABEL, SLICE_CONTROLLER, SLICE_MANAGED_BY_LABEL

_InstancesByService = dict[tuple[str, str], dict[str, Instance]]  # each by its address


class ManualEndpoints:
    """By namespace and name of the Service. An address that several objects have is one instance."""

    def __init__(self, endpoints: Iterable[Resource[Endpoints]], slices: Iterable[Resource[EndpointSlice]]) -> None:
        self._by_service: _InstancesByService = {}
        self._beside_selector: _InstancesByService = {}
        for resource in endpoints:
            self._add_subsets(resource)
        for one in slices:
            self._add_slice(one, self._by_service)
            if one.metadata.labels.get(SLICE_MANAGED_BY_LABEL) != SLICE_CONTROLLER:
                self._add_slice(one, self._beside_selector)

    def of(self, namespace: str, service: str) -> list[Instance]:
        """Those of a Service without a selector."""
        return list(self._by_service.get((namespace, service), {}).values())

    def beside(self, namespace: str, service: str, selected: Iterable[Instance]) -> list[Instance]:
        """Those of a Service whose selector found `selected`. What the controller of slices wrote in Kubernetes were
        the selector's own there."""
        known = {item.address for item in selected}
        found = self._beside_selector.get((namespace, service), {}).values()
        return [item for item in found if item.address not in known]

    def _add_subsets(self, resource: Resource[Endpoints]) -> None:
        for subset in resource.spec.subsets:
            for address in subset.addresses:
                _add(self._by_service, resource.key[1:], address.ip, subset.ports, is_ready=True)
            for address in subset.not_ready_addresses:
                _add(self._by_service, resource.key[1:], address.ip, subset.ports, is_ready=False)

    def _add_slice(self, resource: Resource[EndpointSlice], instances: _InstancesByService) -> None:
        service = resource.metadata.labels.get(SERVICE_NAME_LABEL, "")
        for endpoint in resource.spec.endpoints:
            # Kubernetes: the addresses of one endpoint are the same to a client; absent means ready.
            is_ready = endpoint.conditions.ready is not False
            _add(instances, (resource.namespace, service), endpoint.addresses[0], resource.spec.ports, is_ready)


def _add(
    instances: _InstancesByService,
    service: tuple[str, str],
    address: str,
    ports: tuple[EndpointPort, ...],
    is_ready: bool,
) -> None:
    numbers = {port.name: port.port for port in ports if port.protocol == "TCP"}
    of_service = instances.setdefault(service, {})
    known = of_service.get(address)
    if known is not None:
        numbers = known.ports | numbers
        is_ready = is_ready or known.is_healthy
    of_service[address] = build_manual_instance(address, service[0], numbers, is_ready)
