"""SimulatedMesh: the configuration of a mesh, and what it does with calls."""

import dataclasses
from time import time
from typing import Any

from msgspec.structs import replace

from pymesh import xds
from pymesh.control.snapshot.mesh_snapshot import MeshSnapshot
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.build import build
from pymesh.control.translate.gateway_servers import target_port
from pymesh.names import DEFAULT_DOMAIN
from pymesh.simulation.authentications import find_authentications
from pymesh.simulation.call import Call, parse_call
from pymesh.simulation.decision import RBAC_DENIED, Decision
from pymesh.simulation.files import Configuration, read_configuration
from pymesh.simulation.inbound import judge
from pymesh.simulation.proxy import SimulatedProxy
from pymesh.simulation.traffic import Trail, send
from pymesh.simulation.workloads import Workload, Workloads, build_gateway, build_sidecar, with_labels
from pymesh.spiffe import SpiffeId, parse_spiffe

DEFAULT_SOURCE = "default/client"
_UNKNOWN_ADDRESS = "1.3.3.7"  # Istio's simulation takes it, too, where a call names no address


class SimulatedMesh:
    """Immutable but for its caches: each proxy is translated, decoded and compiled once."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.snapshot = MeshSnapshot.build(configuration.resources, configuration.mesh, 1)
        self.workloads = Workloads(configuration.resources, self.snapshot)
        self._proxies: dict[Any, SimulatedProxy] = {}

    @classmethod
    def load(cls, *paths: str) -> "SimulatedMesh":
        """Of files, directories and `-`. Raises UsageError and InvalidDocumentsError."""
        return cls(read_configuration(paths))

    def simulate(self, request: str, **fields: Any) -> Decision:
        """`fields` are the flags of `pymesh simulate`, dashes being underscores: `from_`, `source_label`, `tls`, ...

        Raises UsageError.
        """
        return self.decide(parse_call({"request": request, **fields}))

    def decide(self, call: Call) -> Decision:
        return self.trace(call)[0].decision

    def trace(self, call: Call) -> list[Trail]:
        """The proxies that the call passes, in order. The first one's decision is that on the whole call."""
        call = self._in_own_trust_domain(call)
        if call.to:
            workload = self.workloads.named(call.to)
            return [self._arrive(workload, call, self._port_at(workload, call))]
        if call.gateway:
            gateway = self.workloads.gateway(call.gateway)
            trails = [self._enter(gateway, call)]
        else:
            gateway = with_labels(self.workloads.named(call.source or DEFAULT_SOURCE), call.source_labels)
            trails = [self._leave(gateway, call)]
        further = self._reach(gateway, trails[0])
        if further is not None:
            trails.append(further)
            trails[0].decision = _with_inbound(trails[0].decision, further.decision)
        return trails

    def _in_own_trust_domain(self, call: Call) -> Call:
        """A client of cluster.local is one of the mesh, whatever its trust domain is called, as in policies."""
        mesh = self.snapshot.mesh
        if not call.principal or DEFAULT_DOMAIN in (mesh.trust_domain, *mesh.trust_domain_aliases):
            return call
        identity = parse_spiffe(call.principal)
        own = identity._replace(trust_domain=mesh.trust_domain) if identity.trust_domain == DEFAULT_DOMAIN else identity
        return dataclasses.replace(call, principal=str(own))

    def proxy(self, node: xds.Node) -> SimulatedProxy:
        key = repr(node)
        found = self._proxies.get(key)
        if found is None:
            view = ProxyView(self.snapshot, node)
            found = self._proxies[key] = SimulatedProxy(build(view), view.is_gateway)
        return found

    def _enter(self, gateway: Workload, call: Call) -> Trail:
        """A port at which the gateway does not listen is one of its Service, unless the connection's own was given."""
        node, address = build_gateway(gateway), call.address or "0.0.0.0"
        proxy = self.proxy(node)
        if not call.has_own_port and not proxy.listener_of(xds.Address(address, call.port)):
            call = dataclasses.replace(call, port=target_port(ProxyView(self.snapshot, node), call.port))
        trail = send(proxy, call, "gateway", address, time())
        judged = self._judged(trail, node)
        is_denied = trail.decision.error == RBAC_DENIED
        trail.decision = judged if is_denied else replace(trail.decision, authentications=judged.authentications)
        return trail

    def _leave(self, source: Workload, call: Call) -> Trail:
        node = build_sidecar(source)
        return send(self.proxy(node), call, "outbound", call.address or self._resolve(node, call.host), time())

    def _resolve(self, node: xds.Node, host: str) -> str:
        """What DNS would tell the application."""
        service = ProxyView(self.snapshot, node).service_named(host)
        return service.addresses[0] if service is not None and service.addresses else _UNKNOWN_ADDRESS

    def _port_at(self, workload: Workload, call: Call) -> int:
        """A service's port in the URL means the port of the workload behind it; an IP's port and --port are that."""
        service = ProxyView(self.snapshot, build_sidecar(workload)).service_named(call.host)
        if call.has_own_port or call.address or service is None:
            return call.port
        return self.workloads.port_behind(service, call.port, workload) or call.port

    def _arrive(self, workload: Workload, call: Call, port: int) -> Trail:
        protocol = self.workloads.app_protocol(workload, port)
        node = build_sidecar(workload, port if self._is_declared(workload, port) else 0, protocol)
        trail = send(self.proxy(node), dataclasses.replace(call, port=port), "inbound", workload.address, time())
        decision = self._judged(trail, node)
        if decision.error == RBAC_DENIED:
            policies = ProxyView(self.snapshot, node).authorization_policies
            decision = replace(decision, denying=tuple(policy.key for policy in policies if not policy.spec.rules))
        trail.decision = decision
        return trail

    def _is_declared(self, workload: Workload, port: int) -> bool:
        """By a service; where a Sidecar lists the ports, by that as well, be it under a service's number."""
        numbers = self.workloads.service_ports(workload, port)
        sidecar = ProxyView(self.snapshot, build_sidecar(workload)).sidecar
        if not numbers or sidecar is None or not sidecar.spec.ingress or port == workload.inbound_port:
            return bool(numbers)
        listed = {item.port.number for item in sidecar.spec.ingress if item.port is not None}
        return not listed.isdisjoint((port, *numbers))

    def _judged(self, trail: Trail, node: xds.Node) -> Decision:
        inbound = judge(trail)
        found = tuple(find_authentications(ProxyView(self.snapshot, node), trail.call.port, inbound))
        return replace(trail.decision, inbound=inbound, authentications=found)

    def _reach(self, client: Workload, trail: Trail) -> Trail | None:
        """At the first of the endpoints whose workload the files have."""
        decision = trail.decision
        if decision.error or not decision.endpoints or decision.cluster is None:
            return None
        if decision.fault is not None and decision.fault.abort is not None:
            return None
        for endpoint in decision.endpoints:
            host, _, port = endpoint.rpartition(":")
            workload = self.workloads.at(host.strip("[]"), int(port) if port.isdigit() else 0)
            if workload is not None and port.isdigit():
                is_mtls = endpoint in trail.proxy.mtls_endpoints(decision.cluster)
                return self._arrive(workload, self._forwarded(client, trail, is_mtls), int(port))
        return None

    def _forwarded(self, client: Workload, trail: Trail, is_mtls: bool) -> Call:
        """The call as the next proxy gets it from this one."""
        call, decision = trail.call, trail.decision
        own = str(SpiffeId(client.namespace, client.service_account, self.snapshot.mesh.trust_domain))
        forwarded = dataclasses.replace(
            call,
            source="",
            gateway="",
            principal=(call.principal if not call.gateway and call.principal else own) if is_mtls else "",
            is_tls=is_mtls or (call.is_tls and decision.rewritten is None),
            alpn=("istio",) if is_mtls else call.alpn,
            sni="" if is_mtls else call.sni,
        )
        if decision.rewritten is None:
            return forwarded
        return dataclasses.replace(
            forwarded,
            method=decision.rewritten.method,
            authority=decision.rewritten.authority,
            target=decision.rewritten.path,
            headers=tuple((decision.request_headers or {}).items()),
        )


def _with_inbound(decision: Decision, inbound: Decision) -> Decision:
    return replace(decision, inbound=inbound.inbound, inbound_decision=inbound, error=inbound.error)
