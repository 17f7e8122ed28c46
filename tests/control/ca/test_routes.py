from datetime import timedelta

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from pymesh.control.ca.join_token import TokenAuthority
from pymesh.control.ca.routes import ca_routes
from pymesh.control.ca.server_certificate import ServerCertificate
from pymesh.control.metrics import ControlMetrics
from pymesh.spiffe import SpiffeId
from pymesh.xds import CERTIFICATE_PATH, ROOT_CERTIFICATE_PATH

PAYMENT = SpiffeId("shop", "payment")


@pytest.fixture
def metrics():
    return ControlMetrics()


@pytest.fixture
def tokens(authority):
    return TokenAuthority(ec.generate_private_key(ec.SECP256R1()), authority.root_sha256)


@pytest.fixture
def trust_domain():
    """What tells the mesh's; `trust_domain.value` changes it."""

    def tell():
        return tell.value

    tell.value = "cluster.local"
    return tell


@pytest.fixture
async def url(authority, tokens, metrics, tmp_path, trust_domain):
    app = web.Application()
    app.add_routes(ca_routes(authority, tokens, metrics, trust_domain))
    runner = web.AppRunner(app)
    await runner.setup()
    certificate = ServerCertificate(authority, tmp_path / "ca", metrics)
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificate.context)
    await site.start()
    yield f"https://localhost:{site._server.sockets[0].getsockname()[1]}"
    await runner.cleanup()


@pytest.fixture
def ask(url, client_context):
    """ask(csr, token=None, identity=None, ...) -> (status, decoded body or reason)."""

    async def post(csr, token=None, identity=None, **fields):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=client_context(identity))) as session,
            session.post(url + CERTIFICATE_PATH, json={"csr": csr, **fields}, headers=headers) as response,
        ):
            return response.status, await (response.json() if response.ok else response.text())

    return post


def identity_of(chain):
    leaf = x509.load_pem_x509_certificate(chain[0].encode())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.UniformResourceIdentifier)


async def test_everybody_may_read_the_root(url, authority, client_context):
    async with (
        aiohttp.ClientSession() as session,
        session.get(url + ROOT_CERTIFICATE_PATH, ssl=client_context()) as response,
    ):
        assert await response.text() == authority.root_pem


async def test_a_token_buys_a_certificate_for_its_identity(ask, tokens, make_csr, metrics):
    status, body = await ask(make_csr(), tokens.mint("shop", "payment"))
    assert (status, identity_of(body["cert_chain"])) == (200, [str(PAYMENT)])
    assert "citadel_server_success_cert_issuance_count_total 1.0" in metrics.exposition()


async def test_a_token_for_any_identity_buys_the_one_that_the_csr_names(ask, tokens, make_csr):
    status, body = await ask(make_csr(uri=str(PAYMENT)), tokens.mint("*", "*"))
    assert (status, identity_of(body["cert_chain"])) == (200, [str(PAYMENT)])


async def test_a_token_for_any_identity_needs_a_name_in_the_csr(ask, tokens, make_csr):
    status, reason = await ask(make_csr(), tokens.mint("*", "*"))
    assert (status, reason) == (400, "the join token is for any identity, so the CSR must name one SPIFFE ID")


async def test_a_token_does_not_buy_another_identity(ask, tokens, make_csr):
    status, reason = await ask(make_csr(uri="spiffe://cluster.local/ns/shop/sa/admin"), tokens.mint("shop", "payment"))
    assert status == 403
    assert "is for spiffe://cluster.local/ns/shop/sa/payment, not for" in reason


async def test_another_trust_domain_is_not_ours_to_certify(ask, tokens, make_csr):
    status, _ = await ask(make_csr(uri="spiffe://elsewhere/ns/shop/sa/payment"), tokens.mint("*", "*"))
    assert status == 403


@pytest.mark.parametrize("asked", ["cluster.local", "example.org"])
async def test_a_certificate_is_for_the_trust_domain_that_the_mesh_has_now(ask, tokens, make_csr, trust_domain, asked):
    trust_domain.value = "example.org"
    status, answer = await ask(make_csr(uri=f"spiffe://{asked}/ns/shop/sa/payment"), tokens.mint("*", "*"))
    assert status == 200
    assert identity_of(answer["cert_chain"]) == ["spiffe://example.org/ns/shop/sa/payment"]


async def test_without_proof_there_is_no_certificate(ask, make_csr, metrics):
    status, reason = await ask(make_csr())
    assert (status, reason) == (401, "neither a join token nor a client certificate of the mesh was shown")
    assert "citadel_server_authentication_failure_count_total 1.0" in metrics.exposition()


async def test_a_bad_token_is_answered_with_one_clear_line(ask, make_csr):
    status, reason = await ask(make_csr(), "abc")
    assert status == 401
    assert reason.startswith("the join token is not valid")
    assert "\n" not in reason


async def test_a_workload_renews_with_its_certificate(ask, make_csr):
    status, body = await ask(make_csr(), identity=PAYMENT)
    assert (status, identity_of(body["cert_chain"])) == (200, [str(PAYMENT)])


async def test_a_workload_does_not_renew_as_another(ask, make_csr):
    status, _ = await ask(make_csr(uri="spiffe://cluster.local/ns/shop/sa/admin"), identity=PAYMENT)
    assert status == 403


async def test_validity_is_as_asked_for_within_the_limit(ask, tokens, make_csr):
    _, body = await ask(make_csr(), tokens.mint("shop", "payment"), validity_duration=60)
    leaf = x509.load_pem_x509_certificate(body["cert_chain"][0].encode())
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == timedelta(minutes=3)
    status, reason = await ask(make_csr(), tokens.mint("shop", "payment"), validity_duration=10**18)
    assert status == 400
    assert "not within" in reason


async def test_a_bad_csr_is_a_bad_request(ask, tokens):
    status, reason = await ask("nonsense", tokens.mint("shop", "payment"))
    assert status == 400
    assert reason.startswith("the CSR cannot be read")


async def test_a_body_that_is_no_request_is_a_bad_request(url, tokens, client_context):
    headers = {"Authorization": f"Bearer {tokens.mint('shop', 'payment')}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url + CERTIFICATE_PATH, data=b"{", headers=headers, ssl=client_context()) as response,
    ):
        assert (response.status, (await response.text())[:25]) == (400, "not a certificate request"[:25])


async def test_a_renewed_server_certificate_serves_new_connections(authority, tmp_path, metrics):
    certificate = ServerCertificate(authority, tmp_path / "ca", metrics)
    before = (tmp_path / "ca" / "server-cert.pem").read_text()
    certificate.renew()
    assert (tmp_path / "ca" / "server-cert.pem").read_text() != before
