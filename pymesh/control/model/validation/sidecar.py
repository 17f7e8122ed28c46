"""Rules of a Sidecar. Istio: ValidateSidecar in pkg/config/validation."""

from pymesh.control.model.destination_rule import ConnectionPoolSettings
from pymesh.control.model.resource import Metadata
from pymesh.control.model.scope import Scope
from pymesh.control.model.sidecar import IstioEgressListener, IstioIngressListener, OutboundTrafficPolicy, Sidecar
from pymesh.control.model.validation import syntax
from pymesh.control.model.validation.connection_pool import check_connection_pool
from pymesh.control.model.validation.route import check_destination
from pymesh.control.model.validation.selector import check_label_selector
from pymesh.control.model.validation.server_tls import check_server_tls
from pymesh.control.model.validation.sidecar_host import check_egress_hosts

_HTTP_PROXY = "HTTP_PROXY"  # of an egress listener: requests to every port of its hosts
_LOCAL_ADDRESSES = ("", "127.0.0.1", "0.0.0.0", "::1", "::")


def check_sidecar(spec: Sidecar, metadata: Metadata, at: Scope) -> None:
    check_label_selector(spec.workload_selector, at["workloadSelector"])
    has_any = spec.egress or spec.ingress or spec.outbound_traffic_policy or spec.inbound_connection_pool
    at.require(has_any, "must have at least one of ingress, egress, outboundTrafficPolicy and inboundConnectionPool")
    for index, ingress in enumerate(spec.ingress):
        _check_ingress(ingress, at["ingress"][index])
    numbers = (item.port.number for item in spec.ingress if item.port is not None)
    syntax.check_unique(numbers, at["ingress"], "port")
    _check_pool(spec.inbound_connection_pool, at["inboundConnectionPool"])
    _check_egress_listeners(spec, metadata.namespace, at["egress"])
    if spec.outbound_traffic_policy is not None:
        _check_outbound_policy(spec.outbound_traffic_policy, at["outboundTrafficPolicy"])


def _check_ingress(ingress: IstioIngressListener, at: Scope) -> None:
    if ingress.port is None:
        at["port"].fail("is required")
    else:
        syntax.check_port(ingress.port.number, at["port"]["number"])
        _check_port_fields(ingress, at["port"])
    if ingress.bind:
        syntax.check_ip_address(ingress.bind, at["bind"])
    if ingress.default_endpoint:
        _check_default_endpoint(ingress.default_endpoint, at["defaultEndpoint"])
    if ingress.tls is not None:
        _check_ingress_tls(ingress, at["tls"])
    _check_pool(ingress.connection_pool, at["connectionPool"])
    pool = ingress.connection_pool
    if pool is not None and pool.http is not None and ingress.port is not None:
        protocol = ingress.port.protocol.upper()
        if protocol not in syntax.HTTP_PROTOCOLS:
            at["connectionPool"]["http"].warn(f"has no effect on a port of protocol {protocol or 'unknown'}")


def _check_port_fields(listener: IstioIngressListener | IstioEgressListener, at: Scope) -> None:
    port = listener.port
    if port is not None:
        is_http_proxy = isinstance(listener, IstioEgressListener) and port.protocol.upper() == _HTTP_PROXY
        if port.protocol and not is_http_proxy:
            syntax.check_protocol(port.protocol, at["protocol"])
        if port.name:
            syntax.check_port_name(port.name, at["name"])
        at["targetPort"].require(not port.target_port, "means nothing in a Sidecar")


def _check_pool(settings: ConnectionPoolSettings | None, at: Scope) -> None:
    check_connection_pool(settings, at)
    if settings is not None and settings.http is not None and settings.http.h2_upgrade_policy == "UPGRADE":
        at["http"]["h2UpgradePolicy"].warn(
            "has no effect: an application is called as its port says, or as clients call"
        )


def _check_default_endpoint(endpoint: str, at: Scope) -> None:
    if endpoint.startswith(syntax.UNIX_PREFIX):
        syntax.check_unix_address(endpoint, at)
        return
    host, colon, port = endpoint.rpartition(":")
    is_local = colon and host.removeprefix("[").removesuffix("]") in _LOCAL_ADDRESSES
    at.require(
        is_local, f"must be 127.0.0.1:PORT, 0.0.0.0:PORT, [::1]:PORT, [::]:PORT or unix:///PATH, not {endpoint!r}"
    )
    is_port = port.isascii() and port.isdecimal() and len(port) <= 5 and 1 <= int(port) <= 65535
    at.require(not is_local or is_port, f"must end with a port, 1..65535, not {port!r}")


def _check_ingress_tls(ingress: IstioIngressListener, at: Scope) -> None:
    tls = ingress.tls
    if tls is None:
        return
    at["subjectAltNames"].require(not tls.subject_alt_names, "is not supported in a Sidecar")
    at["httpsRedirect"].require(not tls.https_redirect, "is not supported in a Sidecar")
    at["credentialName"].require(not tls.credential_name, "is not supported in a Sidecar")
    at["credentialNames"].require(not tls.credential_names, "is not supported in a Sidecar")
    at["tlsCertificates"].require(not tls.tls_certificates, "is not supported in a Sidecar")
    protocol = ingress.port.protocol.upper() if ingress.port is not None else ""
    at.require(protocol in syntax.TLS_PROTOCOLS, f"needs a port of protocol HTTPS or TLS, not {protocol or 'none'}")
    is_supported = tls.mode not in ("ISTIO_MUTUAL", "AUTO_PASSTHROUGH")
    at["mode"].require(is_supported, f"must not be {tls.mode} in a Sidecar")
    check_server_tls(tls, at)


def _check_egress_listeners(spec: Sidecar, namespace: str, at: Scope) -> None:
    last = len(spec.egress) - 1
    for index, egress in enumerate(spec.egress):
        here = at[index]
        here.require(
            egress.port is not None or index == last, "without a port it must be the last one, and the only one"
        )
        here["bind"].require(egress.port is not None or not egress.bind, "needs a port")
        if egress.port is not None:
            _check_egress_port(egress, here)
        check_egress_hosts(egress.hosts, namespace, here["hosts"])
    ports = [item.port.number for item in spec.egress if item.port is not None]
    syntax.check_unique(filter(None, ports), at, "port")
    sockets = (item.bind for item in spec.egress if item.port is not None and not item.port.number)
    syntax.check_unique(sockets, at, "socket")


def _check_egress_port(egress: IstioEgressListener, at: Scope) -> None:
    _check_port_fields(egress, at["port"])
    if egress.port is not None and egress.port.number:
        syntax.check_port(egress.port.number, at["port"]["number"])
        if egress.bind:
            syntax.check_ip_address(egress.bind, at["bind"])
        return
    if egress.bind.startswith(syntax.UNIX_PREFIX):
        syntax.check_unix_address(egress.bind, at["bind"])
    else:
        at["bind"].fail("must be unix:///PATH where the port is 0")
    at["captureMode"].require(egress.capture_mode != "IPTABLES", "must be DEFAULT or NONE for a Unix socket")


def _check_outbound_policy(policy: OutboundTrafficPolicy, at: Scope) -> None:
    proxy = policy.egress_proxy
    if proxy is None:
        return
    at["egressProxy"].require(policy.mode == "ALLOW_ANY", "needs mode ALLOW_ANY")
    at["egressProxy"]["port"].require(proxy.port is not None, "is required")
    check_destination(proxy, at["egressProxy"])
    at["egressProxy"]["host"].require("*" not in proxy.host, "must not be a wildcard")
