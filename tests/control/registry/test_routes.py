import aiohttp
import msgspec
import pytest
from aiohttp import web

from pymesh.control.ca.server_certificate import ServerCertificate
from pymesh.control.metrics import ControlMetrics
from pymesh.control.registry.routes import registry_routes
from pymesh.spiffe import SpiffeId

PAYMENT = SpiffeId("shop", "payment")
PATH = "/pymesh/v1/workloads/shop/payment-1"


class FakePublisher:
    """Remembers what it was asked to wait for."""

    def __init__(self):
        self.waits = []
        self.answer = True

    async def wait_converged(self, revision, timeout, leaving=""):
        self.waits.append((revision, leaving))
        return self.answer


@pytest.fixture
def publisher():
    return FakePublisher()


@pytest.fixture
async def call(registry, publisher, authority, client_context, tmp_path):
    """call(method, path, body, identity) -> (status, text); over TLS unless the identity is "local"."""
    app = web.Application()
    app.add_routes(registry_routes(registry, publisher))
    runner = web.AppRunner(app)
    await runner.setup()
    context = ServerCertificate(authority, tmp_path, ControlMetrics()).context
    sites = {
        "http": web.TCPSite(runner, "127.0.0.1", 0),
        "https": web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context),
    }
    for site in sites.values():
        await site.start()

    async def send(method, path, body=None, identity=PAYMENT):
        scheme = "http" if identity == "local" else "https"
        url = f"{scheme}://localhost:{sites[scheme]._server.sockets[0].getsockname()[1]}{path}"
        data = body if body is None or isinstance(body, bytes) else msgspec.json.encode(body)
        tls = True if identity == "local" else client_context(identity)
        async with aiohttp.ClientSession() as session, session.request(method, url, data=data, ssl=tls) as response:
            return response.status, await response.text()

    yield send
    await runner.cleanup()


async def test_a_workload_registers_itself(call, store, registration):
    assert (await call("PUT", PATH, registration()))[0] == 204
    assert await store.get("WorkloadEntry", "shop", "payment-1") is not None


async def test_on_the_loopback_listener_no_proof_is_needed(call, registration):
    assert (await call("PUT", PATH, registration(), "local"))[0] == 204
    assert (await call("DELETE", PATH, None, "local"))[0] == 200


@pytest.mark.parametrize(
    ("identity", "status", "reason"),
    [
        (None, 401, "a client certificate of the mesh is required"),
        (SpiffeId("bank", "payment"), 403, "may not act for service account payment of namespace shop"),
        (SpiffeId("shop", "web"), 403, "may not act for service account payment of namespace shop"),
    ],
)
async def test_nobody_registers_another(call, registration, identity, status, reason):
    answer = await call("PUT", PATH, registration(), identity)
    assert answer[0] == status
    assert reason in answer[1]


async def test_a_workload_of_another_service_account_is_not_taken_over(call, registration):
    await call("PUT", PATH, registration())
    answer = await call("PUT", PATH, registration(service_account="web"), SpiffeId("shop", "web"))
    assert answer[0] == 403
    assert "belongs to service account payment" in answer[1]
    assert (await call("DELETE", PATH, None, SpiffeId("shop", "web")))[0] == 403
    assert (await call("DELETE", PATH, None, SpiffeId("bank", "payment")))[0] == 403


async def test_a_bad_registration_is_answered_with_its_reasons(call, registration):
    status, reason = await call("PUT", PATH, registration(port=0, app_protocol="udp"))
    assert status == 400
    assert "port:" in reason
    assert "app_protocol:" in reason
    status, reason = await call("PUT", PATH, b'{"service": 1}')
    assert status == 400
    assert "$.service" in reason


async def test_leaving_waits_until_the_others_have_followed(call, publisher, store, registration):
    await call("PUT", PATH, registration())
    assert await call("DELETE", PATH) == (200, '{"converged": true}')
    assert publisher.waits == [(store.revision, "payment-1.shop")]


async def test_leaving_says_when_the_others_have_not_followed(call, publisher, registration):
    publisher.answer = False
    assert await call("DELETE", PATH) == (200, '{"converged": false}')


async def test_a_group_that_does_not_exist_is_a_refusal_that_says_so(call, registration):
    assert await call("PUT", PATH, registration(group="nobody")) == (412, "cannot find WorkloadGroup shop/nobody")
