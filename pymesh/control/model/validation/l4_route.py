"""Rules of TCP and TLS routes. Istio: validateTCPRoute and validateTLSRoute in pkg/config/validation."""

from collections.abc import Callable

from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.control.model.validation.host_cover import HostCover
from pymesh.control.model.validation.route import check_destination, check_gateway_names, check_weights
from pymesh.control.model.virtual_service import L4MatchAttributes, TCPRoute, TLSMatchAttributes, TLSRoute


def check_tcp_route(route: TCPRoute, at: Scope) -> None:
    for index, match in enumerate(route.match):
        here = at["match"][index]
        _check_match(match, here)
        if match.source_subnet:
            syntax.check_ip_network(match.source_subnet, here["sourceSubnet"])
    _check_destinations(route, at["route"])


def check_tls_route(route: TLSRoute, hosts: HostCover, at: Scope, is_server_name: bool) -> None:
    """`hosts`: those of the VirtualService; `is_server_name`: a host may be any name that a gateway may hear."""
    check_host = syntax.check_server_name if is_server_name else syntax.check_host
    at["match"].require(route.match, "must have at least one match")
    for index, match in enumerate(route.match):
        here = at["match"][index]
        here["sniHosts"].require(match.sni_hosts, "must have at least one host")
        for number, sni_host in enumerate(match.sni_hosts):
            _check_sni_host(sni_host, hosts, check_host, here["sniHosts"][number])
        _check_match(match, here)
    _check_destinations(route, at["route"])


def _check_sni_host(sni_host: str, hosts: HostCover, check_host: Callable[[str, Scope], None], at: Scope) -> None:
    if syntax.is_ip_address(sni_host):
        at.warn(f"{sni_host} is an IP address, which clients do not send as a server name (RFC 6066)")
        return
    check_host(sni_host, at)
    at.require(hosts.covers(sni_host), f"{sni_host!r} is not part of any of the VirtualService's hosts")


def _check_match(match: L4MatchAttributes | TLSMatchAttributes, at: Scope) -> None:
    for index, subnet in enumerate(match.destination_subnets):
        syntax.check_ip_network(subnet, at["destinationSubnets"][index])
    syntax.check_optional_port(match.port, at["port"])
    syntax.check_labels(match.source_labels, at["sourceLabels"])
    check_gateway_names(match.gateways, at["gateways"])
    if match.source_namespace:
        syntax.check_dns_label(match.source_namespace, at["sourceNamespace"])


def _check_destinations(route: TCPRoute | TLSRoute, at: Scope) -> None:
    at.require(route.route, "is required")
    for index, weighted in enumerate(route.route):
        check_destination(weighted.destination, at[index]["destination"])
    check_weights(route.route, at)
