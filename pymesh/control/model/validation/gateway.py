"""Rules of a Gateway and its servers."""

from pymesh.control.model.gateway import Gateway, Server, ServerTLSSettings
from pymesh.control.model.resource import Metadata
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax

_VERSIONS = ("TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3")


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
    if server.bind:
        syntax.check_ip_address(server.bind, at["bind"])
    _check_port(server, at["port"])
    if server.port is not None:
        _check_tls_of_protocol(server, server.port.protocol.upper(), at)
    if server.tls is not None:
        _check_tls(server.tls, at["tls"])


def _check_server_host(host: str, at: Scope) -> None:
    namespace, slash, name = host.rpartition("/")
    is_valid = not slash or namespace in (".", "*") or syntax.is_dns_label(namespace)
    at.require(is_valid, f"{namespace!r} is not '.', '*' or a namespace")
    syntax.check_host(name, at)


def _check_port(server: Server, at: Scope) -> None:
    if server.port is None:
        at.fail("is required")
        return
    syntax.check_port(server.port.number, at["number"])
    syntax.check_protocol(server.port.protocol, at["protocol"])
    at["name"].require(server.port.name, "is required")
    at["targetPort"].require(not server.port.target_port, "means nothing in a Gateway")


def _check_tls_of_protocol(server: Server, protocol: str, at: Scope) -> None:
    if protocol in syntax.TLS_PROTOCOLS:
        at["tls"].require(server.tls, f"is required for {protocol}")
        if server.tls is not None and server.tls.mode == "PASSTHROUGH":  # the default, too
            here = at["tls"]["mode"]
            here.fail(f"pymesh does not implement {here.path} PASSTHROUGH")
    elif server.tls is not None:
        is_redirect = server.tls == ServerTLSSettings(https_redirect=server.tls.https_redirect)
        is_http = protocol in syntax.HTTP_PROTOCOLS
        at["tls"].require(is_redirect and is_http, f"can only say httpsRedirect, and only for HTTP, not for {protocol}")


def _check_tls(tls: ServerTLSSettings, at: Scope) -> None:
    files = {
        "serverCertificate": tls.server_certificate,
        "privateKey": tls.private_key,
        "caCertificates": tls.ca_certificates,
    }
    if tls.credential_name:
        for name, value in files.items():
            at[name].require(not value, "cannot stand beside credentialName")
    elif tls.mode in ("SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL"):
        needed = ("serverCertificate", "privateKey") if tls.mode == "SIMPLE" else tuple(files)
        for name in needed:
            at[name].require(files[name], f"or credentialName is required with {tls.mode}")
    _check_versions(tls, at)


def _check_versions(tls: ServerTLSSettings, at: Scope) -> None:
    if "TLS_AUTO" not in (tls.min_protocol_version, tls.max_protocol_version):
        is_ordered = _VERSIONS.index(tls.min_protocol_version) <= _VERSIONS.index(tls.max_protocol_version)
        at["maxProtocolVersion"].require(is_ordered, "must not be below minProtocolVersion")
