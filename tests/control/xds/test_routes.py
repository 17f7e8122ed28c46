import asyncio

import aiohttp
import msgspec
import pytest
from aiohttp import web as aioweb

from pymesh.control.ca.server_certificate import ServerCertificate
from pymesh.control.xds.routes import discovery_routes
from pymesh.spiffe import SpiffeId
from pymesh.xds import CLUSTER, DELTA_PATH, SECRET, DeltaAnswer, DeltaPoll, DeltaRequest, Node, NodeMetadata

WEB = Node("sidecar~127.0.0.1~web-v1-a.default~x", metadata=NodeMetadata(service_account="web"))
GATEWAY = Node("router~127.0.0.1~gw-a.default~x", metadata=NodeMetadata(service_account="gw"))


@pytest.fixture
async def sites(publisher, authority, metrics, tmp_path):
    """The plaintext URL and the TLS URL."""
    app = aioweb.Application()
    app.add_routes(discovery_routes(publisher, poll_seconds=0.05))
    runner = aioweb.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    plain = aioweb.TCPSite(runner, "127.0.0.1", 0)
    tls = aioweb.TCPSite(runner, "127.0.0.1", 0, ssl_context=ServerCertificate(authority, tmp_path, metrics).context)
    await plain.start()
    await tls.start()
    ports = [site._server.sockets[0].getsockname()[1] for site in (plain, tls)]
    yield f"http://localhost:{ports[0]}", f"https://localhost:{ports[1]}"
    await runner.cleanup()


@pytest.fixture
async def post(sites, client_context):
    """post(path, body, identity=..., tls=...) -> (status, body)."""

    async def call(path, body, identity=None, tls=False):
        connector = aiohttp.TCPConnector(ssl=client_context(identity)) if tls else None
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.post(sites[tls] + path, data=data) as response,
        ):
            return response.status, await response.read()

    return call


def delta(node, *requests):
    return DeltaPoll(node, requests or (DeltaRequest(CLUSTER),))


async def test_a_delta_poll_over_the_wire(publisher, post, web):
    publisher.publish(web, 1)
    status, body = await post(DELTA_PATH, delta(WEB))
    [response] = msgspec.json.decode(body, type=DeltaAnswer).responses
    assert (status, response.type_url, response.resources[0].name) == (200, CLUSTER, "web")
    assert await post(DELTA_PATH, delta(WEB, DeltaRequest(CLUSTER, response.nonce))) == (304, b"")


async def test_an_unknown_nonce_is_gone(publisher, post, web):
    publisher.publish(web, 1)
    status, _ = await post(DELTA_PATH, delta(WEB, DeltaRequest(CLUSTER, "feed-1")))
    assert status == 410


async def test_an_envoys_request_over_the_wire(publisher, post, web):
    publisher.publish(web, 1)
    node = {"id": "envoy", "user_agent_name": "envoy", "extensions": [{"name": "x"}], "metadata": {"FOO": 1.0}}
    status, body = await post("/v3/discovery:clusters", {"node": node, "typeUrl": CLUSTER})
    answer = msgspec.json.decode(body)
    assert (status, answer["type_url"], answer["resources"][0]["name"]) == (200, CLUSTER, "web")
    held = {"node": node, "version_info": answer["version_info"]}
    assert (await post("/v3/discovery:clusters", held))[0] == 304


@pytest.mark.parametrize(
    ("path", "body", "status", "reason"),
    [
        (DELTA_PATH, b"{", 400, "not a DeltaPoll"),
        (DELTA_PATH, b"\xff", 400, "not a DeltaPoll"),
        (DELTA_PATH, b'{"requests": []}', 400, "missing required field `node`"),
        (DELTA_PATH, delta(WEB, DeltaRequest("type.googleapis.com/x")), 400, "is not served"),
        (DELTA_PATH, delta(WEB, DeltaRequest(CLUSTER), DeltaRequest(CLUSTER)), 400, "for each once"),
        ("/v3/discovery:clusters", b"[]", 400, "not a RestPoll"),
        ("/v3/discovery:runtime", b"{}", 404, "no such type"),
    ],
)
async def test_a_bad_request_is_answered_with_its_reason(post, path, body, status, reason):
    answer = await post(path, body)
    assert answer[0] == status
    assert reason in answer[1].decode()


async def test_a_workload_polls_for_itself_over_tls(publisher, post, web):
    publisher.publish(web, 1)
    assert (await post(DELTA_PATH, delta(WEB), SpiffeId("default", "web"), tls=True))[0] == 200


@pytest.mark.parametrize(
    ("identity", "status"), [(None, 401), (SpiffeId("default", "payment"), 403), (SpiffeId("bank", "web"), 403)]
)
async def test_nobody_polls_for_another_over_tls(publisher, post, web, identity, status):
    publisher.publish(web, 1)
    assert (await post(DELTA_PATH, delta(WEB), identity, tls=True))[0] == status


async def test_a_node_id_of_another_namespace_is_refused(publisher, post, web):
    publisher.publish(web, 1)
    node = Node("sidecar~127.0.0.1~web-v1-a.bank~x", metadata=NodeMetadata(service_account="web"))
    assert (await post(DELTA_PATH, delta(node), SpiffeId("default", "web"), tls=True))[0] == 403


async def test_a_gateway_gets_its_secrets_over_tls_only(publisher, post):
    publisher.publish({SECRET: {"kubernetes://cert": "key"}}, 1)
    poll = delta(GATEWAY, DeltaRequest(SECRET))
    assert b"kubernetes://cert" in (await post(DELTA_PATH, poll, SpiffeId("default", "gw"), tls=True))[1]
    assert b"kubernetes://cert" not in (await post(DELTA_PATH, poll))[1]


async def test_a_proxy_that_hangs_up_is_noticed_at_once(publisher, sites, web):
    publisher.publish(web, 1)
    task = asyncio.create_task(publisher.wait_converged(2, 30))
    async with (
        aiohttp.ClientSession() as session,
        session.post(sites[0] + DELTA_PATH, data=msgspec.json.encode(delta(WEB))) as response,
    ):
        await response.read()
    publisher.publish({}, 2)
    assert await task
