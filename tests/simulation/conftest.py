"""Istio's YAML and a call -> what the mesh would do with it, by `pymesh.simulation`."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from pymesh import xds
from pymesh.control.model.mesh_config_decoder import decode_mesh_config
from pymesh.control.snapshot.mesh_snapshot import MeshSnapshot
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.build import build
from pymesh.proxy.downstream.access_verdict import Access, Authorization, judge_access
from pymesh.proxy.downstream.filter_chain_match import ConnectionTraits
from pymesh.proxy.tls.peer_identity import PeerIdentity
from pymesh.simulation.call import Call, parse_call
from pymesh.simulation.files import build_configuration
from pymesh.simulation.mesh import SimulatedMesh
from pymesh.simulation.proxy import SimulatedProxy
from pymesh.simulation.request import SimulatedRequest, build_request
from pymesh.simulation.traffic import Trail, send

_MTLS = {"security.istio.io/tlsMode": "istio"}


class Answer(NamedTuple):
    """A decision in short. `error` is empty where there is none; `action` is the proxy's own."""

    error: str = ""
    virtual_host: str = ""
    route: str = ""
    cluster: str = ""
    authority: str = ""
    path: str = ""
    redirect: str = ""
    status: int = 0
    endpoints: tuple[str, ...] = ()
    action: Any = None


class Connected:
    """A request with what is known of its connection."""

    direct_remote_address = "192.0.2.1:40000"
    requested_server_name = ""
    dynamic_metadata: Mapping[str, Any] = {}

    def __init__(self, request: SimulatedRequest, peer: PeerIdentity | None, **fields: Any) -> None:
        self.__dict__.update(fields)
        self.request = request
        self.peer = peer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.request, name)


_CALL_FIELDS = ("direct_remote_address", "remote_address", "local_address", "requested_server_name", "dynamic_metadata")


class Simulation:
    """One proxy of a mesh."""

    def __init__(self, resources: Mapping[str, Mapping[str, xds.Resource]], is_gateway: bool) -> None:
        self.resources = resources
        self.proxy = SimulatedProxy(resources, is_gateway)

    def send(self, url: str, method: str = "GET", random: float = 0.0, **headers: str) -> Answer:
        """Through the sidecar's HTTP proxy. Underscores in names of headers are dashes."""
        return _answer(send(self.proxy, _call(url, method, random, headers), "outbound", "1.3.3.7"))

    def arrive(self, url: str, method: str = "GET", random: float = 0.0, sni: str = "", **headers: str) -> Answer:
        """At a gateway; the URL's port is the listener's."""
        call = _call(url, method, random, headers)
        call = replace(call, sni=sni or call.sni)
        listener = self.proxy.listener_of(xds.Address("0.0.0.0", call.port))
        if listener and call.is_tls:
            chain = self.proxy.chains(self.proxy.listener(listener)).find(
                ConnectionTraits(call.port, call.sni, "tls", call.alpn)
            )
            if chain is not None and chain.tls is not None and chain.tls.require_client_certificate:
                call = replace(call, principal="spiffe://cluster.local/ns/default/sa/client")
        return _answer(send(self.proxy, call, "gateway", "0.0.0.0"))

    def connect(self, port: int, address: str = "0.0.0.0", **call: Any) -> Answer:
        """A connection without a request at a gateway; the arguments are fields of the call, such as `sni`."""
        told = parse_call({"request": f"TCP tcp://{address}:{port}", **call})
        return _answer(send(self.proxy, told, "gateway", address))

    def inbound(self, transport: str, *alpn: str) -> str:
        """What a connection to the inbound listener gets: `mtls`, `plaintext`, `tls` (passed on); empty: nothing."""
        listener = self.proxy.listener("virtualInbound")
        chain = self.proxy.chains(listener).find(ConnectionTraits(listener.address.port, "", transport, alpn))
        if chain is None:
            return ""
        return "mtls" if chain.tls is not None else "plaintext" if transport == "raw_buffer" else "tls"

    def receive(self, url: str, method: str = "GET", **call: Any) -> Authorization:
        """At the inbound listener: may it pass? See `access`."""
        return self.access(url, method, **call).authz

    def access(self, url: str, method: str = "GET", peer: str = "", now: float = 1e9, **call: Any) -> Access:
        """At the inbound listener: who is it, and may it pass? `peer` is a principal, `cluster.local/ns/x/sa/y`; the
        connection is then mTLS. `tcp=True` is a connection without a request; other arguments are fields of the call or
        headers."""
        is_tcp = call.pop("tcp", False)
        listener = self.proxy.listener("virtualInbound")
        traits = ConnectionTraits(listener.address.port, "", *(("tls", ("istio",)) if peer else ("raw_buffer",)))
        chain = self.proxy.chains(listener).find(traits)
        assert chain is not None
        known = {name: call.pop(name) for name in _CALL_FIELDS if name in call}
        request = build_request(_call(url.replace("tcp:", "http:"), method, 0.0, call), "127.0.0.1")
        request.local_address = "127.0.0.1:15001"
        if is_tcp:
            request.path = request.authority = request.method = b""
        identity = PeerIdentity((f"spiffe://{peer}",), (), "", "") if peer else None
        return judge_access(chain, Connected(request, identity, **known), now)


@pytest.fixture
def sidecar() -> Callable[..., Simulation]:
    """The sidecar of a workload in `namespace` with `labels`; further arguments are MeshConfig's."""

    def make(
        yaml: str,
        namespace: str = "default",
        labels: dict[str, str] | None = None,
        locality: str = "",
        protocol: str = "http",
        **mesh: object,
    ) -> Simulation:
        metadata = xds.NodeMetadata(
            namespace=namespace,
            labels={**_MTLS, **(labels or {})},
            service="web",
            app_port=8080,
            app_protocol=protocol,
            inbound=xds.Address("0.0.0.0", 15006),
        )
        node = xds.Node(f"sidecar~1.2.3.4~web.{namespace}~d", "", metadata, xds.parse_node_locality(locality))
        return _simulation(yaml, node, mesh)

    return make


@pytest.fixture
def gateway() -> Callable[..., Simulation]:
    def make(yaml: str, **mesh: object) -> Simulation:
        labels = {**_MTLS, "istio": "ingressgateway"}
        metadata = xds.NodeMetadata(namespace="istio-system", labels=labels)
        return _simulation(yaml, xds.Node(id="router~1.2.3.4~gw.istio-system~d", metadata=metadata), mesh)

    return make


@pytest.fixture
def mesh_of() -> Callable[[str], SimulatedMesh]:
    """The mesh of a YAML text, whose file is called mesh.yaml."""
    return lambda yaml: SimulatedMesh(build_configuration([("mesh.yaml", yaml)]))


def _simulation(yaml: str, node: xds.Node, mesh: dict[str, object]) -> Simulation:
    resources = build_configuration([("simulation", yaml)]).resources
    view = ProxyView(MeshSnapshot.build(resources, decode_mesh_config(mesh), 1), node)
    return Simulation(build(view), view.is_gateway)


def _call(url: str, method: str, random: float, headers: dict[str, str]) -> Call:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return parse_call({"request": f"{method} {url}", "random": random, "header": named})


def _answer(trail: Trail) -> Answer:
    decision = trail.decision
    rewritten, redirect, direct = decision.rewritten, decision.redirect, decision.direct_response
    return Answer(
        error=decision.error or "",
        virtual_host=decision.virtual_host or "",
        route=decision.route or "",
        cluster=decision.cluster or "",
        authority=rewritten.authority if rewritten is not None else "",
        path=rewritten.path if rewritten is not None else "",
        redirect=redirect.location if redirect is not None else "",
        status=redirect.code if redirect is not None else direct.status if direct is not None else 0,
        endpoints=decision.endpoints or (),
        action=trail.match.route.action if trail.match is not None else None,
    )
