"""Rules of a VirtualService as a whole, and of its TCP routes."""

from pymesh.control.model.resource import Metadata
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.control.model.validation.http_route import check_http_route
from pymesh.control.model.validation.route import check_destination, check_gateway_names, check_weights
from pymesh.control.model.virtual_service import L4MatchAttributes, TCPRoute, VirtualService
from pymesh.names import MESH_GATEWAY


def check_virtual_service(spec: VirtualService, metadata: Metadata, at: Scope) -> None:
    _check_hosts(spec, at["hosts"])
    check_gateway_names(spec.gateways, at["gateways"])
    syntax.check_export_to(spec.export_to, metadata.namespace, at["exportTo"])
    at.require(spec.http or spec.tcp or spec.tls, "must have at least one of http, tcp and tls")
    for index, http in enumerate(spec.http):
        check_http_route(http, at["http"][index])
    for index, tcp in enumerate(spec.tcp):
        _check_tcp_route(tcp, at["tcp"][index])


def _check_hosts(spec: VirtualService, at: Scope) -> None:
    at.require(spec.hosts, "must have at least one host")
    is_for_mesh = not spec.gateways or MESH_GATEWAY in spec.gateways
    for index, host in enumerate(spec.hosts):
        if not syntax.is_ip_address(host):
            syntax.check_host(host, at[index])
        at[index].require(host != "*" or not is_for_mesh, "'*' is only for gateways, not for the mesh")
    syntax.check_unique(spec.hosts, at, "host")


def _check_tcp_route(route: TCPRoute, at: Scope) -> None:
    for index, match in enumerate(route.match):
        _check_l4_match(match, at["match"][index])
    at["route"].require(route.route, "is required")
    for index, weighted in enumerate(route.route):
        check_destination(weighted.destination, at["route"][index]["destination"])
    check_weights(route.route, at["route"])


def _check_l4_match(match: L4MatchAttributes, at: Scope) -> None:
    for index, subnet in enumerate(match.destination_subnets):
        syntax.check_ip_network(subnet, at["destinationSubnets"][index])
    syntax.check_optional_port(match.port, at["port"])
    syntax.check_labels(match.source_labels, at["sourceLabels"])
    check_gateway_names(match.gateways, at["gateways"])
    if match.source_namespace:
        syntax.check_dns_label(match.source_namespace, at["sourceNamespace"])
