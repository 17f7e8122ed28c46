"""Rules of a Service. Kubernetes: ValidateService in pkg/apis/core/validation."""

import re

from pymesh.control.model.resource import Metadata
from pymesh.control.model.scope import Scope
from pymesh.control.model.service import Service, ServicePort
from pymesh.control.model.validation import syntax

_IANA_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")


def check_service(spec: Service, metadata: Metadata, at: Scope) -> None:
    is_alias = spec.type == "ExternalName"
    is_headless = spec.cluster_ip == "None"
    at["ports"].require(spec.ports or is_alias or is_headless, "must have at least one port")
    _check_external_name(spec, is_alias, at["externalName"])
    for name, address in (("clusterIP", spec.cluster_ip), *(("clusterIPs", one) for one in spec.cluster_ips)):
        at[name].require(
            address in ("", "None") or syntax.is_ip_address(address), f"must be an IP address or None, not {address!r}"
        )
    for index, port in enumerate(spec.ports):
        _check_port(port, at["ports"][index], is_alone=len(spec.ports) == 1)
    syntax.check_unique((port.name for port in spec.ports if port.name), at["ports"], "port name")
    for protocol in ("TCP", "UDP", "SCTP"):
        numbers = (port.port for port in spec.ports if port.protocol == protocol)
        syntax.check_unique(numbers, at["ports"], "port")
    syntax.check_labels(spec.selector, at["selector"])


def _check_external_name(spec: Service, is_alias: bool, at: Scope) -> None:
    at.require(spec.external_name or not is_alias, "is required with type ExternalName")
    if spec.external_name:
        syntax.check_exact_host(spec.external_name, at)


def _check_port(port: ServicePort, at: Scope, is_alone: bool) -> None:
    at["name"].require(port.name or is_alone, "is required where there are several ports")
    if port.name:
        syntax.check_dns_label(port.name, at["name"])
    syntax.check_port(port.port, at["port"])
    if isinstance(port.target_port, int):
        syntax.check_port(port.target_port, at["targetPort"])
    elif port.target_port is not None:
        is_name = len(port.target_port) <= 15 and _IANA_NAME.fullmatch(port.target_port)
        at["targetPort"].require(is_name, f"must be a port or the name of one, not {port.target_port!r}")
    if port.app_protocol:
        syntax.check_qualified_name(port.app_protocol, at["appProtocol"])
