"""What the connection manager adds to both heads and what telemetry learns of the two ends."""

from typing import Any

import pytest

from pymesh.proxy.telemetry.workload import Workload
from pymesh.proxy.tls.peer_identity import PeerIdentity

GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nServer: backend\r\nDate: then\r\nContent-Length: 0\r\n\r\n"
WEB = "spiffe://cluster.local/ns/default/sa/web"
PEER = PeerIdentity((WEB,), (), "", "ab12")
METADATA = b"web-1;default;web;v1;pymesh"


async def answer(proxy: Any, request: bytes = GET, response: bytes = OK, **info: Any) -> tuple[bytes, bytes]:
    """What the server and the client saw."""
    client = proxy.connect(**info)
    client.send(request)
    server = await proxy.server()
    request = server.take()
    server.send(response)
    return request, client.received


@pytest.mark.parametrize(
    ("transformation", "header"),
    [("OVERWRITE", b"istio-envoy"), ("APPEND_IF_ABSENT", b"backend"), ("PASS_THROUGH", b"backend")],
)
async def test_the_server_header_is_transformed(proxy: Any, transformation: str, header: bytes) -> None:
    proxy.route(proxy.forward(), server_name="istio-envoy", server_header_transformation=transformation)
    _, response = await answer(proxy)
    assert b"\r\nserver: " + header + b"\r\n" in response


async def test_the_servers_date_is_kept_and_an_absent_one_is_added(proxy: Any) -> None:
    _, response = await answer(proxy)
    assert b"\r\ndate: then\r\n" in response
    _, response = await answer(proxy, response=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert response.count(b"\r\ndate: ") == 1


async def test_hop_by_hop_fields_of_the_server_stay_with_it(proxy: Any) -> None:
    response = (
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: x\r\nContent-Length: 0\r\n\r\n"
    )
    _, seen = await answer(proxy, response=response)
    assert b"connection:" not in seen
    assert b"keep-alive" not in seen
    assert b"x-hop: 1" in seen  # as through Envoy


async def test_the_request_id_is_told_to_the_client_where_it_is_asked_for(proxy: Any) -> None:
    proxy.route(proxy.forward(), always_set_request_id_in_response=True)
    request, response = await answer(proxy, GET[:-2] + b"X-Request-Id: abc\r\n\r\n")
    assert b"\r\nx-request-id: abc\r\n" in request
    assert b"\r\nx-request-id: abc\r\n" in response


async def test_inbound_the_peer_is_who_its_certificate_and_its_header_say(proxy: Any) -> None:
    proxy.route(proxy.forward(), is_inbound=True)
    request = GET[:-2] + b"X-Envoy-Peer-Metadata: " + METADATA + b"\r\n\r\n"
    seen, _ = await answer(proxy, request, is_tls=True, peer=PEER)
    assert b"x-envoy-peer-metadata" not in seen
    assert b"\r\nx-forwarded-proto: https\r\n" in seen
    info = proxy.info
    assert info.is_mtls
    assert info.downstream_principal == WEB
    assert info.downstream_peer == Workload("web-1", "default", "web", "v1", "pymesh")


async def test_inbound_without_mtls_nobody_is_believed(proxy: Any) -> None:
    proxy.route(proxy.forward(), is_inbound=True)
    request = GET[:-2] + b"X-Envoy-Peer-Metadata: " + METADATA + b"\r\n\r\n"
    seen, _ = await answer(proxy, request)
    assert b"x-envoy-peer-metadata" not in seen
    assert proxy.info.downstream_peer is None
    assert not proxy.info.is_mtls


async def test_outbound_the_metadata_goes_to_mesh_peers_only(proxy: Any) -> None:
    request = GET[:-2] + b"X-Envoy-Peer-Metadata: forged\r\n\r\n"
    seen, _ = await answer(proxy, request)
    assert b"x-envoy-peer-metadata" not in seen
    proxy.info.upstream_host.is_mtls = True
    seen, _ = await answer(proxy, request)
    assert b"\r\nx-envoy-peer-metadata: web-1;default;web;v1;pymesh\r\n" in seen
    assert proxy.info.is_mtls


async def test_the_certificate_of_the_client_is_forwarded(proxy: Any) -> None:
    proxy.route(proxy.forward(), forward_client_cert_details="APPEND_FORWARD")
    seen, _ = await answer(proxy, is_tls=True, peer=PEER)
    assert b"\r\nx-forwarded-client-cert: Hash=ab12\r\n" in seen
    forged = GET[:-2] + b"X-Forwarded-Client-Cert: Hash=evil\r\n\r\n"
    seen, _ = await answer(proxy, forged)
    assert b"client-cert" not in seen


async def test_the_clients_address_is_what_trusted_hops_say(proxy: Any) -> None:
    await answer(proxy, GET[:-2] + b"X-Forwarded-For: 1.2.3.4\r\n\r\n")
    assert proxy.info.downstream_remote_address == "1.2.3.4:0"
    await answer(proxy)
    assert proxy.info.downstream_remote_address == "10.0.0.9:5000"


async def test_options_of_everything_is_not_routed(proxy: Any) -> None:
    client = proxy.connect()
    client.send(b"OPTIONS * HTTP/1.1\r\nHost: shop\r\n\r\n")
    assert client.received.startswith(b"HTTP/1.1 404 ")
    assert proxy.info.response_code_details == "absolute_path_rejected"


async def test_close_ends_all_connections(proxy: Any) -> None:
    client = proxy.connect()
    client.send(GET)
    server = await proxy.server()
    proxy.manager.close()
    await proxy.settle()
    assert not client.is_open
    assert not server.is_open
    assert proxy.info.response_flags == ("DC",)
