"""Rules of Endpoints and EndpointSlices. Kubernetes: pkg/apis/core/validation and pkg/apis/discovery/validation."""

from pymesh.control.model.endpoints import Endpoint, EndpointPort, Endpoints, EndpointSlice
from pymesh.control.model.resource import Metadata
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.names import SERVICE_NAME_LABEL

_LARGEST_ENDPOINTS = 1000
_LARGEST_PORTS = 100


def check_endpoints(spec: Endpoints, metadata: Metadata, at: Scope) -> None:
    for index, subset in enumerate(spec.subsets):
        here = at["subsets"][index]
        here.require(subset.addresses or subset.not_ready_addresses, "must have at least one address")
        for field, addresses in (("addresses", subset.addresses), ("notReadyAddresses", subset.not_ready_addresses)):
            for number, address in enumerate(addresses):
                syntax.check_ip_address(address.ip, here[field][number]["ip"])
        _check_ports(subset.ports, here["ports"])


def check_endpoint_slice(spec: EndpointSlice, metadata: Metadata, at: Scope) -> None:
    if not metadata.labels.get(SERVICE_NAME_LABEL):
        at.warn(f"belongs to no Service without the label {SERVICE_NAME_LABEL}")
    at["endpoints"].require(len(spec.endpoints) <= _LARGEST_ENDPOINTS, f"must be {_LARGEST_ENDPOINTS} at most")
    at["ports"].require(len(spec.ports) <= _LARGEST_PORTS, f"must be {_LARGEST_PORTS} at most")
    for index, endpoint in enumerate(spec.endpoints):
        _check_endpoint(endpoint, spec.address_type, at["endpoints"][index])
    _check_ports(spec.ports, at["ports"])


def _check_endpoint(endpoint: Endpoint, address_type: str, at: Scope) -> None:
    at["addresses"].require(endpoint.addresses, "must have at least one address")
    for index, address in enumerate(endpoint.addresses):
        here = at["addresses"][index]
        if address_type == "FQDN":
            syntax.check_exact_host(address, here)
        else:
            is_right = syntax.is_ip_address(address) and (":" in address) == (address_type == "IPv6")
            here.require(is_right, f"must be an {address_type} address, not {address!r}")


def _check_ports(ports: tuple[EndpointPort, ...], at: Scope) -> None:
    for index, port in enumerate(ports):
        at[index]["name"].require(port.name or len(ports) == 1, "is required where there are several ports")
        if port.name:
            syntax.check_dns_label(port.name, at[index]["name"])
        syntax.check_port(port.port, at[index]["port"])
    syntax.check_unique((port.name for port in ports if port.name), at, "port name")
