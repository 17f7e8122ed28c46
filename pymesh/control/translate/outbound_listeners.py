"""The listeners of traffic that is captured on its way out: one for each port, or address and port, of the services.

Istio: buildSidecarOutboundListeners in pilot/pkg/networking/core/listener.go.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from pymesh.control.model.validation.syntax import is_ip_address
from pymesh.control.snapshot.egress import EgressScope
from pymesh.control.snapshot.mesh_service import MeshPort, MeshService
from pymesh.control.snapshot.protocol import Protocol
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.config_source import socket_address
from pymesh.control.translate.listener_filters import HTTP_INSPECTION, TLS_INSPECTION, build_detection_timeout
from pymesh.control.translate.outbound_chain import OutboundChain, merge_chains
from pymesh.control.translate.outbound_filters import ANY_ADDRESS, OutboundPort, build_http_chain, build_l4_chains
from pymesh.control.translate.passthrough import PASSTHROUGH_CHAIN, build_passthrough_chain
from pymesh.xds import LISTENER, Resource

_LOOPBACK = "127.0.0.1"


class ListenerKey(NamedTuple):
    bind: str
    port: int

    @property
    def name(self) -> str:
        return f"{self.bind}_{self.port}" if self.port else self.bind


@dataclass(slots=True)
class _Entry:
    """A listener that is being put together. `kind` is what it takes: HTTP, TCP or AUTO (both, by inspection).

    `is_locked`: a port that a Sidecar's listener speaks of takes no further service. `protocol` is the first one's.
    """

    chains: list[OutboundChain]
    kind: Protocol
    protocol: Protocol
    is_bound: bool
    is_locked: bool = False


def build_outbound_listeners(view: ProxyView) -> Iterator[Resource]:
    """In the explicit mode only those ports are opened that a Sidecar asks for."""
    entries: dict[ListenerKey, _Entry] = {}
    for scope in view.egress:
        if scope.port is None:
            for entry in entries.values():
                entry.is_locked = True
        if scope.port is not None or view.is_redirected:
            for target in _ports(view, scope):
                _add(view, target, entries)
    for key, entry in entries.items():
        yield _build_listener(view, key, entry)


def _ports(view: ProxyView, scope: EgressScope) -> Iterator[OutboundPort]:
    for service in scope.services.values():
        for port in (scope.port,) if scope.port is not None else service.ports:
            if port.protocol is Protocol.UDP or port.number in view.reserved_ports:
                continue
            for bind, subnet in _addresses(view, scope, service, port):
                yield OutboundPort(scope, service, port, bind, subnet)


def _addresses(view: ProxyView, scope: EgressScope, service: MeshService, port: MeshPort) -> Iterator[tuple[str, str]]:
    """Addresses to bind, each with the subnet that it stands for. HTTP needs none: hosts tell its services apart."""
    if scope.bind:
        yield scope.bind, ""
    elif _is_bound(view, scope):
        yield _LOOPBACK, ""
    elif port.protocol.is_http and not port.protocol.is_auto:
        yield ANY_ADDRESS, ""
    elif service.addresses or service.subnets:
        yield from ((address, "") for address in service.addresses)
        yield from ((ANY_ADDRESS, subnet) for subnet in service.subnets)
    elif service.keeps_destination and scope.port is None:
        yield from _own_addresses(service, port)
    else:
        yield ANY_ADDRESS, ""


def _own_addresses(service: MeshService, port: MeshPort) -> Iterator[tuple[str, str]]:
    """Each endpoint of a headless service has a listener."""
    endpoints = service.endpoints.get(port.number, ())
    if service.is_unresolved and not service.selector:
        yield ANY_ADDRESS, ""
        return
    for endpoint in endpoints:
        if is_ip_address(endpoint.address):
            yield endpoint.address, ""


def _is_bound(view: ProxyView, scope: EgressScope) -> bool:
    return not view.is_redirected or not scope.is_captured


def _add(view: ProxyView, target: OutboundPort, entries: dict[ListenerKey, _Entry]) -> None:
    key = ListenerKey(target.bind, target.port.number)
    entry = entries.get(key)
    kind = _kind(target.port.protocol)
    if entry is not None and (entry.is_locked or _takes_already(entry, kind) or _is_forbidden(entry, target)):
        return
    chains = list(_chains(view, target, key, kind))
    is_bound = _is_bound(view, target.scope)
    # What HTTP takes of a shared address is found by inspection: whatever else arrives there goes on as it is.
    found = Protocol.AUTO if kind is Protocol.HTTP and target.bind == ANY_ADDRESS else kind
    if entry is None or (entry.kind is Protocol.HTTP and kind is Protocol.AUTO):
        entries[key] = _Entry(chains, found, target.port.protocol, is_bound)
        return
    entry.chains = merge_chains(entry.chains, chains)
    if not entry.kind is kind is Protocol.TCP:
        entry.kind = Protocol.AUTO


def _kind(protocol: Protocol) -> Protocol:
    if protocol.is_auto:
        return Protocol.AUTO
    return Protocol.HTTP if protocol.is_http else Protocol.TCP


def _takes_already(entry: _Entry, kind: Protocol) -> bool:
    """HTTP services of a port share a listener and its routes."""
    if kind is Protocol.HTTP:
        return entry.kind is not Protocol.TCP
    return kind is Protocol.AUTO and entry.kind is Protocol.AUTO


def _is_forbidden(entry: _Entry, target: OutboundPort) -> bool:
    """Where a server speaks first, inspection would wait for ever."""
    protocols = (entry.protocol, target.port.protocol)
    return any(protocol.speaks_server_first for protocol in protocols) and protocols[0] is not protocols[1]


def _chains(view: ProxyView, target: OutboundPort, key: ListenerKey, kind: Protocol) -> Iterator[OutboundChain]:
    if kind is not Protocol.HTTP:
        yield from build_l4_chains(view, target)
    if kind is not Protocol.TCP:
        is_sniffed = kind is Protocol.AUTO or target.bind == ANY_ADDRESS
        yield build_http_chain(view, target, key.name, is_sniffed)


def _build_listener(view: ProxyView, key: ListenerKey, entry: _Entry) -> Resource:
    any_chains = [chain.build() for chain in entry.chains if chain.matches_all]
    chains = [chain.build() for chain in entry.chains if not chain.matches_all]
    inspections = list(_inspections(entry.chains))
    listener: Resource = {
        "@type": LISTENER,
        "name": key.name,
        "address": socket_address(key.bind, key.port),
        "traffic_direction": "OUTBOUND",
        **build_detection_timeout(view.mesh, default="0s"),
        "filter_chains": chains or any_chains,
    }
    if inspections:
        listener["listener_filters"] = inspections
    if chains:
        listener["default_filter_chain"] = any_chains[0] if any_chains else _outside(view)
    if not entry.is_bound:
        listener["bind_to_port"] = False
    return listener


def _outside(view: ProxyView) -> dict[str, Any]:
    return build_passthrough_chain(view, PASSTHROUGH_CHAIN)


def _inspections(chains: list[OutboundChain]) -> Iterator[dict[str, Any]]:
    is_http = any(chain.is_http_only for chain in chains)
    if is_http or any(chain.needs_server_name for chain in chains):
        yield TLS_INSPECTION
    if is_http:
        yield HTTP_INSPECTION
