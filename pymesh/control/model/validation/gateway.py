"""Rules of a Gateway and its servers. Istio: ValidateGateway in pkg/config/validation."""

from pymesh.control.model.gateway import Gateway, Server, ServerTLSSettings
from pymesh.control.model.resource import Metadata
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.control.model.validation.server_tls import check_server_tls
from pymesh.control.model.validation.sidecar_host import check_host_part, check_namespace_part


def check_gateway(spec: Gateway, metadata: Metadata, at: Scope) -> None:
    syntax.check_labels(spec.selector, at["selector"])
    at["servers"].require(spec.servers, "must have at least one server")
    for index, server in enumerate(spec.servers):
        _check_server(server, at["servers"][index])
    names = (server.port.name for server in spec.servers if server.port is not None and server.port.name)
    syntax.check_unique(names, at["servers"], "port name")


def _check_server(server: Server, at: Scope) -> None:
    at["hosts"].require(server.hosts, "must have at least one host")
    for index, host in enumerate(server.hosts):
        _check_server_host(host, at["hosts"][index])
    _check_port(server, at["port"])
    _check_bind(server, at)
    if server.port is not None:
        _check_tls_of_protocol(server, server.port.protocol.upper(), at)
    if server.tls is not None:
        check_server_tls(server.tls, at["tls"])


def _check_server_host(host: str, at: Scope) -> None:
    namespace, slash, name = host.partition("/")
    if slash:
        check_namespace_part(namespace, at, (".", "*"))
    else:
        name = host
    if not syntax.is_ip_address(name):
        check_host_part(name, at)


def _check_port(server: Server, at: Scope) -> None:
    if server.port is None:
        at.fail("is required")
        return
    if not server.bind.startswith(syntax.UNIX_PREFIX):
        syntax.check_port(server.port.number, at["number"])
    syntax.check_protocol(server.port.protocol, at["protocol"])
    if server.port.protocol.upper() == "GRPC-WEB":
        at["protocol"].warn("pymesh passes gRPC-Web on as it is, and makes no gRPC of it")
    at["name"].require(server.port.name, "is required")
    at["targetPort"].require(not server.port.target_port, "means nothing in a Gateway")


def _check_bind(server: Server, at: Scope) -> None:
    if server.bind.startswith(syntax.UNIX_PREFIX):
        syntax.check_unix_address(server.bind, at["bind"])
        number = server.port.number if server.port is not None else 0
        at["port"]["number"].require(not number, "must be 0 for a Unix socket")
    elif server.bind:
        syntax.check_ip_address(server.bind, at["bind"])


def _check_tls_of_protocol(server: Server, protocol: str, at: Scope) -> None:
    is_redirected = server.tls is not None and server.tls.https_redirect
    if protocol in syntax.TLS_PROTOCOLS:
        at["tls"].require(server.tls, f"is required for {protocol}")
        if is_redirected:
            at["tls"]["httpsRedirect"].warn(f"is for servers of HTTP, not of {protocol}")
    elif server.tls is not None:
        is_redirect = server.tls == ServerTLSSettings(https_redirect=is_redirected)
        if protocol in syntax.HTTP_PROTOCOLS:
            at["tls"].require(is_redirect, f"can only say httpsRedirect on a port of protocol {protocol}")
        else:
            at["tls"].fail(f"cannot stand on a port of protocol {protocol}")
