"""Rules of a VirtualService as a whole. Istio: ValidateVirtualService in pkg/config/validation."""

from pymesh.control.model.resource import Metadata
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.control.model.validation.host_cover import HostCover
from pymesh.control.model.validation.http_route import check_http_route
from pymesh.control.model.validation.l4_route import check_tcp_route, check_tls_route
from pymesh.control.model.validation.route import check_gateway_names
from pymesh.control.model.validation.unreachable import warn_of_unreachable
from pymesh.control.model.virtual_service import VirtualService
from pymesh.names import MESH_GATEWAY


def check_virtual_service(spec: VirtualService, metadata: Metadata, at: Scope) -> None:
    if spec.hosts:
        _check_hosts(spec, at["hosts"])
    else:
        _check_delegate(spec, at)
    check_gateway_names(spec.gateways, at["gateways"])
    syntax.check_export_to(spec.export_to, metadata.namespace, at["exportTo"])
    at.require(spec.http or spec.tcp or spec.tls, "must have at least one of http, tcp and tls")
    is_for_gateways = bool(spec.gateways) and MESH_GATEWAY not in spec.gateways
    for index, http in enumerate(spec.http):
        check_http_route(http, not spec.hosts, is_for_gateways, at["http"][index])
    for index, tcp in enumerate(spec.tcp):
        check_tcp_route(tcp, at["tcp"][index])
    cover = HostCover(spec.hosts)
    for index, tls in enumerate(spec.tls):
        check_tls_route(tls, cover, at["tls"][index], is_server_name=_names_a_gateway(spec))
    for name, routes in (("http", spec.http), ("tcp", spec.tcp), ("tls", spec.tls)):
        warn_of_unreachable(routes, at[name])


def _names_a_gateway(spec: VirtualService) -> bool:
    return any(gateway != MESH_GATEWAY for gateway in spec.gateways)


def _check_delegate(spec: VirtualService, at: Scope) -> None:
    """Without hosts it is one that others delegate to."""
    for name, value in (("gateways", spec.gateways), ("tls", spec.tls), ("tcp", spec.tcp)):
        at[name].require(not value, "cannot stand in a VirtualService without hosts, which is a delegate")


def _check_hosts(spec: VirtualService, at: Scope) -> None:
    is_for_mesh = not spec.gateways or MESH_GATEWAY in spec.gateways
    check_host = syntax.check_server_name if _names_a_gateway(spec) else syntax.check_host
    for index, host in enumerate(spec.hosts):
        if not syntax.is_ip_address(host):
            check_host(host, at[index])
        at[index].require(host != "*" or not is_for_mesh, "'*' is only for gateways, not for the mesh")
    syntax.check_unique(spec.hosts, at, "host")
    cover = HostCover(spec.hosts)
    for index, host in enumerate(spec.hosts):
        wider = cover.wildcard_of(host)
        at[index].require(wider is None, f"{host!r} is part of {wider!r}")
