"""Endpoints and EndpointSlices: the addresses of Services without a selector, by hand.

https://kubernetes.io/docs/concepts/services-networking/service/#services-without-selectors
"""

from collections.abc import Iterable

from pymesh.control.model.endpoints import EndpointPort, Endpoints, EndpointSlice
from pymesh.control.model.resource import Resource
from pymesh.control.snapshot.instance import Instance, build_manual_instance
from pymesh.names import SERVICE_NAME_LABEL


class ManualEndpoints:
    """By namespace and name of the Service. An address that several objects have is one instance."""

    def __init__(self, endpoints: Iterable[Resource[Endpoints]], slices: Iterable[Resource[EndpointSlice]]) -> None:
        self._by_service: dict[tuple[str, str], dict[str, Instance]] = {}
        for resource in endpoints:
            self._add_subsets(resource)
        for one in slices:
            self._add_slice(one)

    def of(self, namespace: str, service: str) -> list[Instance]:
        return list(self._by_service.get((namespace, service), {}).values())

    def _add_subsets(self, resource: Resource[Endpoints]) -> None:
        for subset in resource.spec.subsets:
            for address in subset.addresses:
                self._add(resource.key[1:], address.ip, subset.ports, is_ready=True)
            for address in subset.not_ready_addresses:
                self._add(resource.key[1:], address.ip, subset.ports, is_ready=False)

    def _add_slice(self, resource: Resource[EndpointSlice]) -> None:
        service = resource.metadata.labels.get(SERVICE_NAME_LABEL, "")
        for endpoint in resource.spec.endpoints:
            # Kubernetes: the addresses of one endpoint are the same to a client; absent means ready.
            is_ready = endpoint.conditions.ready is not False
            self._add((resource.namespace, service), endpoint.addresses[0], resource.spec.ports, is_ready)

    def _add(self, service: tuple[str, str], address: str, ports: tuple[EndpointPort, ...], is_ready: bool) -> None:
        numbers = {port.name: port.port for port in ports if port.protocol == "TCP"}
        of_service = self._by_service.setdefault(service, {})
        known = of_service.get(address)
        if known is not None:
            numbers = known.ports | numbers
            is_ready = is_ready or known.is_healthy
        of_service[address] = build_manual_instance(address, service[0], numbers, is_ready)
