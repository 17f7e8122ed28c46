"""HTTP/2 over real connections: a gRPC server, in plaintext and with TLS, that is asked through the pool."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import trustme

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.http2.heads import request_fields
from pymesh.proxy.timers import LoopClock, Timers
from pymesh.proxy.tls.certificates import CertificateValidation
from pymesh.proxy.tls.config import CommonTlsConfig, UpstreamTlsConfig
from pymesh.proxy.tls.contexts import client_alpn
from pymesh.proxy.tls.secrets import SecretStore
from pymesh.proxy.upstream.cluster import Cluster
from pymesh.proxy.upstream.cluster_config import ClusterConfig
from pymesh.proxy.upstream.endpoint import ClusterLoadAssignment, EndpointConfig
from pymesh.proxy.upstream.http2_options import UpstreamProtocol
from pymesh.proxy.upstream.load_balancer import NO_CONTEXT
from pymesh.proxy.upstream.protocol_pool import build_pool
from pymesh.proxy.upstream.transport import connect
from pymesh.proxy.upstream.transport_socket_matcher import TransportSocketsConfig
from pymesh.tasks import TaskGroup

MESSAGE = b"\0\0\0\0\2hi"  # of gRPC: not compressed, two bytes long


class Asked:
    """An exchange that keeps what comes."""

    is_http2 = True

    def __init__(self) -> None:
        self.answer: asyncio.Future[tuple[int, bytes, list[tuple[bytes, bytes]]]] = asyncio.Future()

    def on_connection(self, stream: Any) -> None:
        head = HeaderMap([(b"host", b"greeter"), (b"content-type", b"application/grpc"), (b"te", b"trailers")])
        stream.start(self, request_fields(b"POST", b"http", b"/demo.Greeter/Hello", head), False)
        stream.send_body(MESSAGE)
        stream.send_end(None)
        stream.flush()

    def on_response_head(self, head: Any) -> None:
        self.head, self.body = head, b""

    def on_response_body(self, data: bytes) -> None:
        self.body += data

    def on_response_end(self, trailers: Any) -> None:
        self.answer.set_result((self.head.status, self.body, trailers.items()))

    def on_response(self, head: Any, body: bytes, trailers: Any) -> None:
        self.answer.set_result((head.status, body, trailers.items()))

    def on_read_end(self) -> None:
        pass

    def on_upstream_failure(self, failure: Any) -> None:
        self.answer.set_exception(ConnectionError(f"{failure.reason} {failure.transport_failure}"))


async def _hello(request: bytes, context: Any) -> bytes:
    return request.upper()


@pytest.fixture
async def serve() -> AsyncIterator[Any]:
    servers = []

    async def run(credentials: Any = None) -> int:
        server = grpc.aio.server()
        handler = grpc.unary_unary_rpc_method_handler(_hello)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("demo.Greeter", {"Hello": handler}),))
        add = server.add_insecure_port if credentials is None else server.add_secure_port
        port = add("127.0.0.1:0", *([credentials] if credentials is not None else []))
        await server.start()
        servers.append(server)
        return port

    yield run
    for server in servers:
        await server.stop(None)


async def ask(port: int, tls: UpstreamTlsConfig | None = None, connector: Any = connect) -> Any:
    loop, tasks = asyncio.get_running_loop(), TaskGroup()
    assignment = ClusterLoadAssignment("greeter", (EndpointConfig("127.0.0.1", port),))
    config = ClusterConfig(
        "greeter",
        type="STATIC",
        load_assignment=assignment,
        protocol=UpstreamProtocol.HTTP2,
        transport_sockets=TransportSocketsConfig(tls),
    )
    cluster = Cluster(config, SecretStore(), clock=LoopClock(loop))
    endpoint = cluster.choose_endpoint(NO_CONTEXT)
    assert endpoint is not None
    pool = build_pool(cluster, endpoint, Timers(LoopClock(loop)), tasks, connector)
    asked = Asked()
    assert pool.acquire(asked) is None
    try:
        async with asyncio.timeout(10):
            return await asked.answer
    finally:
        pool.drain()
        await tasks.aclose()


async def test_a_grpc_server_is_asked_in_plaintext_by_prior_knowledge(serve: Any) -> None:
    answer = await ask(await serve())
    assert answer == (200, b"\0\0\0\0\2HI", [(b"grpc-status", b"0"), (b"grpc-message", b"")])


async def test_a_server_that_speaks_before_the_connection_is_ready_waits_for_the_preface(serve: Any) -> None:
    async def connect_slowly(*args: Any, **more: Any) -> Any:
        transport = await connect(*args, **more)
        await asyncio.sleep(0.2)  # the server's settings come
        return transport

    assert (await ask(await serve(), connector=connect_slowly))[0] == 200


async def test_a_grpc_server_is_asked_over_tls_which_says_so_by_alpn(serve: Any) -> None:
    authority = trustme.CA()
    leaf = authority.issue_cert("greeter")
    chain = b"".join(pem.bytes() for pem in leaf.cert_chain_pems)
    # It takes nobody who does not speak h2 by ALPN.
    port = await serve(grpc.ssl_server_credentials([(leaf.private_key_pem.bytes(), chain)]))
    validation = CertificateValidation(trusted_ca=authority.cert_pem.bytes().decode())
    tls = UpstreamTlsConfig(CommonTlsConfig(validation=validation), sni="greeter")
    assert (await ask(port, tls))[:2] == (200, b"\0\0\0\0\2HI")


@pytest.mark.parametrize(
    ("alpn", "is_mesh", "http1", "http2"),
    [
        ((), False, (), ("h2",)),
        (("h2",), False, (), ("h2",)),
        (
            ("istio-peer-exchange", "istio"),
            True,
            ("istio-peer-exchange", "istio"),
            ("istio-peer-exchange", "istio", "h2"),
        ),
        (("istio", "h2"), True, ("istio",), ("istio", "h2")),
    ],
)
def test_alpn_says_which_http_a_connection_is_for(alpn: Any, is_mesh: bool, http1: Any, http2: Any) -> None:
    secrets = {"certificate_secrets": ("default",), "validation_secret": "ROOTCA"} if is_mesh else {}
    common = CommonTlsConfig(alpn=alpn, **secrets)
    assert (client_alpn(common, is_http2=False), client_alpn(common, is_http2=True)) == (http1, http2)
