"""TCP and TLS ports of a gateway, beyond what the golden cases show."""

from pymesh.control.model.gateway import Gateway, Port, Server, ServerTLSSettings
from pymesh.control.model.kinds import GATEWAY, VIRTUAL_SERVICE
from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.model.messages import Destination
from pymesh.control.model.resource import Metadata, Resource
from pymesh.control.model.virtual_service import (
    RouteDestination,
    TCPRoute,
    TLSMatchAttributes,
    TLSRoute,
    VirtualService,
)
from pymesh.control.snapshot.mesh_snapshot import MeshSnapshot
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.build import build
from pymesh.xds import LISTENER, Node


def _listener(server: Server, rule: VirtualService):
    resources = [
        Resource(kind=GATEWAY, metadata=Metadata(name="edge", namespace="a"), spec=Gateway(servers=(server,))),
        Resource(kind=VIRTUAL_SERVICE, metadata=Metadata(name="x", namespace="a"), spec=rule),
    ]
    view = ProxyView(MeshSnapshot.build(resources, MeshConfig(), 1), Node(id="router~1~x.a~d"))
    listeners = build(view)[LISTENER]
    return listeners.get("0.0.0.0_443")


def _to(host: str) -> tuple[RouteDestination, ...]:
    return (RouteDestination(destination=Destination(host=host)),)


def _tls_rule(*names: str) -> VirtualService:
    routes = tuple(TLSRoute(match=(TLSMatchAttributes(sni_hosts=(name,)),), route=_to(f"{name}.svc")) for name in names)
    return VirtualService(hosts=("*",), gateways=("edge",), tls=routes)


TLS_PORT = Port(number=443, name="tls", protocol="TLS")
PASSTHROUGH = Server(port=TLS_PORT, hosts=("*",), tls=ServerTLSSettings(mode="PASSTHROUGH"))
TERMINATING = Server(port=TLS_PORT, hosts=("db.example",), tls=ServerTLSSettings(mode="SIMPLE", credential_name="db"))


def test_passthrough_has_a_chain_for_each_server_name():
    chains = _listener(PASSTHROUGH, _tls_rule("a.example", "b.example"))["filter_chains"]
    assert [chain["filter_chain_match"]["server_names"] for chain in chains] == [["a.example"], ["b.example"]]
    assert all("transport_socket" not in chain for chain in chains)


def test_first_route_to_claim_a_server_name_has_it():
    chains = _listener(PASSTHROUGH, _tls_rule("a.example", "a.example"))["filter_chains"]
    assert len(chains) == 1


def test_tls_that_ends_at_the_gateway_goes_on_as_tcp():
    rule = VirtualService(hosts=("db.example",), gateways=("edge",), tcp=(TCPRoute(route=_to("db.svc")),))
    (chain,) = _listener(TERMINATING, rule)["filter_chains"]
    assert chain["filter_chain_match"] == {"server_names": ["db.example"]}
    assert chain["filters"][0]["typed_config"]["cluster"] == "outbound|443||db.svc"
    assert "transport_socket" in chain


def test_port_without_any_route_is_not_opened():
    assert _listener(PASSTHROUGH, VirtualService(hosts=("*",), gateways=("edge",))) is None
