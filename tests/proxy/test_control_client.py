"""The control client against a TLS server that stands for the control plane and writes down what it is asked."""

import base64
import hashlib
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from pymesh import xds
from pymesh.errors import ControlUnreachableError
from pymesh.proxy.control_client import (
    CONTROL_HOSTNAME,
    ControlClient,
    ControlRefusedError,
    UnknownNonceError,
    decode_join_token,
)

POLL = xds.DeltaPoll(xds.Node("sidecar~127.0.0.1~a.default~x"), ())
FAR_FUTURE = 1e11
REGISTRATION = xds.Registration("payment", "payment-v1", "10.0.0.1", 15006, 80, "http", "default", {}, healthy=True)


def join_token(ca: trustme.CA) -> str:
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(ca.cert_pem.bytes().decode())).hexdigest()
    claims = base64.urlsafe_b64encode(json.dumps({"iss": "pymesh", "ca_sha256": digest}).encode()).decode().rstrip("=")
    return f"e30.{claims}.c2ln"


def issue(ca: trustme.CA, directory: Path) -> Path:
    """A workload's certificate, with its key, in one file."""
    file = directory / "certificate.pem"
    ca.issue_cert("workload").private_key_and_cert_chain_pem.write_to_path(file)
    return file


class Server:
    """Answers every path but the root certificate's with `status` and `body`."""

    def __init__(self, ca: trustme.CA) -> None:
        self.ca = ca
        self.url = ""
        self.status = 200
        self.body = b""
        self.requests: list[tuple[str, str, bytes]] = []
        self.authorizations: list[str | None] = []
        self.peers: list[object] = []

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._tls())
        await site.start()
        self.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.ca.issue_cert(CONTROL_HOSTNAME).configure_cert(context)
        self.ca.configure_trust(context)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    async def _answer(self, request: web.Request) -> web.Response:
        if request.path == xds.ROOT_CERTIFICATE_PATH:
            return web.Response(body=self.ca.cert_pem.bytes())
        assert request.transport is not None
        self.peers.append(request.transport.get_extra_info("peercert"))
        self.requests.append((request.method, request.path, await request.read()))
        self.authorizations.append(request.headers.get("Authorization"))
        return web.Response(status=self.status, body=self.body)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server(trustme.CA())
    runner = await server.start()
    yield server
    await runner.cleanup()


@pytest.fixture
async def client(server: Server, tmp_path: Path) -> AsyncIterator[ControlClient]:
    client = ControlClient(lambda: server.url, lambda: join_token(server.ca), tmp_path / "root.pem")
    yield client
    client.close()


async def test_a_poll_carries_the_node_and_brings_the_answer(server: Server, client: ControlClient) -> None:
    server.body = b'{"responses": [{"type_url": "t", "nonce": "n"}]}'
    assert await client.poll(POLL) == xds.DeltaAnswer((xds.DeltaResponse("t", "n"),))
    method, path, body = server.requests[0]
    assert (method, path) == ("POST", xds.DELTA_PATH)
    assert json.loads(body)["node"]["id"] == POLL.node.id


async def test_304_is_no_news(server: Server, client: ControlClient) -> None:
    server.status = 304
    assert await client.poll(POLL) is None


async def test_410_means_to_poll_anew(server: Server, client: ControlClient) -> None:
    server.status = 410
    with pytest.raises(UnknownNonceError):
        await client.poll(POLL)


async def test_a_refusal_carries_the_control_planes_words(server: Server, client: ControlClient) -> None:
    server.status, server.body = 403, b'{"message": "the token is for\\nanother namespace"}'
    with pytest.raises(ControlRefusedError, match="403 the token is for another namespace"):
        await client.poll(POLL)


async def test_an_answer_that_is_no_answer_is_a_refusal(server: Server, client: ControlClient) -> None:
    server.body = b"[]"
    with pytest.raises(ControlRefusedError, match="not a DeltaAnswer"):
        await client.poll(POLL)


async def test_the_join_token_is_the_proof_until_there_is_a_certificate(
    server: Server, client: ControlClient, tmp_path: Path
) -> None:
    server.body = b'{"cert_chain": ["leaf", "root"]}'
    assert await client.sign("csr") == ("leaf", "root")
    assert server.authorizations == [f"Bearer {join_token(server.ca)}"]
    client.use_certificate(issue(server.ca, tmp_path), FAR_FUTURE)
    await client.sign("csr", validity=4)
    assert json.loads(server.requests[1][2])["validity_duration"] == 4
    assert server.authorizations[1] is None
    assert server.peers[0] is None
    assert server.peers[1] is not None


async def test_a_control_plane_with_another_root_is_not_believed(server: Server, tmp_path: Path) -> None:
    client = ControlClient(lambda: server.url, lambda: join_token(trustme.CA()), tmp_path / "root.pem")
    with pytest.raises(ControlRefusedError, match="its root is another"):
        await client.poll(POLL)
    assert server.requests == []
    client.close()


async def test_the_root_is_kept_so_that_a_restart_needs_no_token(
    server: Server, client: ControlClient, tmp_path: Path
) -> None:
    server.status = 304
    await client.poll(POLL)
    restarted = ControlClient(lambda: server.url, lambda: None, tmp_path / "root.pem")
    assert await restarted.poll(POLL) is None
    restarted.close()


async def test_an_expired_certificate_is_not_shown_and_the_token_is_the_proof_again(
    server: Server, client: ControlClient, tmp_path: Path
) -> None:
    server.body = b'{"cert_chain": []}'
    client.use_certificate(issue(server.ca, tmp_path), not_after=0.0)
    await client.sign("csr")
    assert server.peers == [None]
    assert server.authorizations == [f"Bearer {join_token(server.ca)}"]


async def test_a_mesh_that_was_made_anew_is_joined_with_its_new_token(server: Server, tmp_path: Path) -> None:
    news: list[str] = []
    (tmp_path / "root.pem").write_bytes(trustme.CA().cert_pem.bytes())
    client = ControlClient(
        lambda: server.url, lambda: join_token(server.ca), tmp_path / "root.pem", lambda: news.append("root")
    )
    client.use_certificate(issue(trustme.CA(), tmp_path), FAR_FUTURE)
    server.status = 304
    assert await client.poll(POLL) is None
    assert news == ["root"]
    assert server.peers == [None]
    client.close()


async def test_an_impostor_with_a_foreign_certificate_is_unreachable(server: Server, tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_bytes(trustme.CA().cert_pem.bytes())
    client = ControlClient(lambda: server.url, lambda: None, tmp_path / "root.pem")
    with pytest.raises(ControlUnreachableError, match="CERTIFICATE_VERIFY_FAILED"):
        await client.poll(POLL)
    client.close()


async def test_without_token_and_root_there_is_nobody_to_trust_yet(server: Server, tmp_path: Path) -> None:
    client = ControlClient(lambda: server.url, lambda: None, tmp_path / "root.pem")
    with pytest.raises(ControlUnreachableError, match="no join token"):
        await client.poll(POLL)


async def test_a_control_plane_that_does_not_listen_is_unreachable(server: Server, client: ControlClient) -> None:
    server.status = 304
    await client.poll(POLL)
    server.url = "https://127.0.0.1:1"
    with pytest.raises(ControlUnreachableError, match=r"^Connection refused$"):
        await client.poll(POLL)


async def test_a_workload_is_registered_and_deregistered_by_its_name(server: Server, client: ControlClient) -> None:
    await client.register("default", "payment-v1-x", REGISTRATION)
    await client.deregister("default", "payment-v1-x", 1.0)
    path = f"{xds.WORKLOADS_PATH}/default/payment-v1-x"
    assert [request[:2] for request in server.requests] == [("PUT", path), ("DELETE", path)]
    assert json.loads(server.requests[0][2])["port"] == 15006


async def test_telemetry_is_posted_as_it_is(server: Server, client: ControlClient) -> None:
    await client.export(xds.TRACES_PATH, b"\x0a\x00")
    assert server.requests == [("POST", xds.TRACES_PATH, b"\x0a\x00")]


@pytest.mark.parametrize("token", ["", "a.b", "a.!.c", "e30.e30"[:5] + "bnVsbA.x"])
def test_what_is_not_a_token_is_refused(token: str) -> None:
    with pytest.raises(ControlRefusedError, match="not one"):
        decode_join_token(token)
