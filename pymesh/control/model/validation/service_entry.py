"""Rules of a ServiceEntry. Istio: ValidateServiceEntry in pkg/config/validation."""

from pymesh.control.model.resource import Metadata
from pymesh.control.model.scope import Scope
from pymesh.control.model.service_entry import ServiceEntry
from pymesh.control.model.validation import syntax
from pymesh.control.model.validation.selector import check_label_selector
from pymesh.control.model.validation.workload_entry import check_endpoint

_BY_NAME = ("DNS", "DNS_ROUND_ROBIN")
_ASKS_FOR_ADDRESS = ("", "TCP")
_NAMES_ITS_HOST = (*syntax.HTTP_PROTOCOLS, *syntax.TLS_PROTOCOLS)


def check_service_entry(spec: ServiceEntry, metadata: Metadata, at: Scope) -> None:
    at["hosts"].require(spec.hosts, "must have at least one host")
    for index, host in enumerate(spec.hosts):
        _check_host(host, at["hosts"][index])
    for index, address in enumerate(spec.addresses):
        syntax.check_ip_network(address, at["addresses"][index])
    _check_ports(spec, at["ports"])
    _check_endpoints(spec, at)
    _check_resolution(spec, at)
    _check_ambiguity(spec, at)
    _check_addresses(spec, at)
    syntax.check_export_to(spec.export_to, metadata.namespace, at["exportTo"], allow_none=True)


def _check_host(host: str, at: Scope) -> None:
    at.require(host != "*", "must be a host, not '*'")
    syntax.check_host(host, at)
    if "*" in host and host != "*" and not host.startswith("*."):
        at.warn(f"{host!r}: a wildcard that is a part of a label matches no host")


def _check_ports(spec: ServiceEntry, at: Scope) -> None:
    for index, port in enumerate(spec.ports):
        syntax.check_port(port.number, at[index]["number"])
        syntax.check_optional_port(port.target_port, at[index]["targetPort"])
        syntax.check_port_name(port.name, at[index]["name"])
        if port.protocol:
            syntax.check_protocol(port.protocol, at[index]["protocol"])
    syntax.check_unique((port.number for port in spec.ports), at, "port")
    syntax.check_unique((port.name for port in spec.ports), at, "port name")


def _check_endpoints(spec: ServiceEntry, at: Scope) -> None:
    if spec.workload_selector is not None:
        at["endpoints"].require(not spec.endpoints, "cannot stand beside workloadSelector")
        check_label_selector(spec.workload_selector, at["workloadSelector"])
        if spec.resolution == "NONE":
            at["workloadSelector"].warn("should not stand beside resolution NONE")
    names = {port.name for port in spec.ports}
    for index, endpoint in enumerate(spec.endpoints):
        here = at["endpoints"][index]
        check_endpoint(endpoint, here)
        is_socket = endpoint.address.startswith(syntax.UNIX_PREFIX)
        here["address"].require(not is_socket or len(spec.ports) == 1, "a Unix socket serves exactly one port")
        here["address"].require(
            not is_socket or spec.resolution not in _BY_NAME, "a Unix socket has no name to resolve"
        )
        for name in endpoint.ports:
            here["ports"][name].require(name in names, "no port of the ServiceEntry has this name")


def _check_resolution(spec: ServiceEntry, at: Scope) -> None:
    if spec.resolution == "NONE":
        at["endpoints"].require(not spec.endpoints, "must be empty with resolution NONE")
    elif spec.resolution == "STATIC":
        for index, endpoint in enumerate(spec.endpoints):
            if endpoint.address and not endpoint.address.startswith(syntax.UNIX_PREFIX):
                syntax.check_ip_address(endpoint.address, at["endpoints"][index]["address"])
    elif spec.resolution in _BY_NAME and not spec.endpoints:
        for index, host in enumerate(spec.hosts):
            is_exact = not host.startswith("*")
            at["hosts"][index].require(is_exact, f"must not be a wildcard with resolution {spec.resolution}")
    if spec.resolution == "DNS_ROUND_ROBIN":
        at["endpoints"].require(len(spec.endpoints) <= 1, "must be one at most with resolution DNS_ROUND_ROBIN")
    if spec.resolution in _BY_NAME:
        at["addresses"].require(
            not any("/" in address for address in spec.addresses),
            f"must not be a CIDR block with resolution {spec.resolution}",
        )


def _check_ambiguity(spec: ServiceEntry, at: Scope) -> None:
    """Of several hosts on a TCP port, nothing says which one a connection is for, unless hosts do not matter."""
    protocols = (port.protocol.upper() for port in spec.ports)
    if spec.resolution != "NONE" and len(spec.hosts) > 1:
        is_named = all(protocol in _NAMES_ITS_HOST for protocol in protocols)
        at["hosts"].require(is_named, "must be one where a port is neither HTTP nor TLS")


def _check_addresses(spec: ServiceEntry, at: Scope) -> None:
    """Nobody tells redirected TCP connections to a service without an address from those to any other."""
    for index, port in enumerate(spec.ports if not spec.addresses else ()):
        if port.protocol.upper() in _ASKS_FOR_ADDRESS:
            at["ports"][index].warn("addresses are required for a port of TCP, or of no protocol")
    if spec.resolution not in _BY_NAME or not spec.addresses or len(spec.hosts) <= 1:
        return
    if any(port.protocol.upper() in syntax.TCP_PROTOCOLS for port in spec.ports):
        at["addresses"].warn("connections to an address that several hosts share are all taken for the first of them")
