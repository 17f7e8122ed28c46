import asyncio
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop
from cryptography import x509

from pymesh.names import OWN_CERTIFICATE, ROOT_CA
from pymesh.proxy.tls.certificates import (
    CertificatePins,
    CertificateValidation,
    SecretConfig,
    SubjectAltNameMatcher,
    TlsCertificate,
)
from pymesh.proxy.tls.config import CommonTlsConfig, DownstreamTlsConfig, UpstreamTlsConfig
from pymesh.proxy.tls.contexts import HASH_MISMATCH, NO_PEER_CERTIFICATE, SAN_MISMATCH, ClientTls, ServerTls
from pymesh.proxy.tls.file_secrets import SYSTEM_ROOTS, file_certificate, file_root
from pymesh.proxy.tls.secrets import SecretStore

PAYMENT = "spiffe://cluster.local/ns/default/sa/payment"
WEB = "spiffe://cluster.local/ns/default/sa/web"
MESH = CommonTlsConfig(certificate_secrets=(OWN_CERTIFICATE,), validation_secret=ROOT_CA, alpn=("istio",))
SERVER = DownstreamTlsConfig(MESH, require_client_certificate=True)


def meant_for(*uris: str) -> UpstreamTlsConfig:
    names = tuple(SubjectAltNameMatcher("URI", uri) for uri in uris)
    validation = CertificateValidation(subject_alt_names=names)
    common = CommonTlsConfig((), (OWN_CERTIFICATE,), validation, ROOT_CA, ("istio",))
    return UpstreamTlsConfig(common, sni="outbound_.80_._.payment.default.svc.cluster.local")


def identity(ca, uri: str) -> SecretStore:
    secrets = SecretStore()
    secrets.apply(SecretConfig(OWN_CERTIFICATE, tls_certificate=ca.issue(uri)))
    secrets.apply(SecretConfig(ROOT_CA, validation=CertificateValidation(trusted_ca=ca.root)))
    return secrets


def context_of(tls: ServerTls | ClientTls) -> ssl.SSLContext:
    context = tls.ssl_context()
    assert context is not None
    return context


async def test_a_client_whose_certificate_is_not_pinned_is_refused(ca, tls_pair):
    pinned = CertificateValidation(pins=CertificatePins(frozenset({b"x" * 32})))
    server = ServerTls(DownstreamTlsConfig(replace(MESH, validation=pinned), True), identity(ca, PAYMENT))
    client = ClientTls(meant_for(PAYMENT), identity(ca, WEB))
    pair = await tls_pair(context_of(server), context_of(client), client.server_hostname)
    _, server_side = await pair.ssl_objects()
    assert server.verify(server_side) == HASH_MISMATCH


async def test_both_ends_of_a_mesh_connection_learn_who_the_other_is(ca, tls_pair):
    server, client = ServerTls(SERVER, identity(ca, PAYMENT)), ClientTls(meant_for(PAYMENT), identity(ca, WEB))
    pair = await tls_pair(context_of(server), context_of(client), client.server_hostname)
    client_side, server_side = await pair.ssl_objects()

    assert client.verify(client_side) is None
    assert client.peer_identity(client_side).principal == PAYMENT
    assert server.verify(server_side) is None
    peer = server.peer_identity(server_side)
    assert (peer.principal, peer.subject, peer.dns_names) == (WEB, "", ())
    assert server_side.selected_alpn_protocol() == "istio"


@pytest.mark.parametrize("fast", [True, False], ids=["aiofastnet", "uvloop"])
def test_identities_are_read_on_uvloop_too(ca, tls_loopback, fast):
    async def identities() -> tuple[str, str]:
        loopback = tls_loopback(fast)
        server, client = ServerTls(SERVER, identity(ca, PAYMENT)), ClientTls(meant_for(PAYMENT), identity(ca, WEB))
        pair = await loopback.connect(context_of(server), context_of(client), client.server_hostname)
        client_side, server_side = await pair.ssl_objects()
        await pair.talk()
        await loopback.aclose()
        return client.peer_identity(client_side).principal, server.peer_identity(server_side).principal

    assert uvloop.run(identities()) == (PAYMENT, WEB)


async def test_the_peers_hash_is_that_of_its_certificate_in_der(ca, tls_pair):
    secrets = identity(ca, WEB)
    server, client = ServerTls(SERVER, identity(ca, PAYMENT)), ClientTls(meant_for(PAYMENT), secrets)
    pair = await tls_pair(context_of(server), context_of(client))
    _, server_side = await pair.ssl_objects()

    chain = secrets.get(OWN_CERTIFICATE).tls_certificate.certificate_chain
    der = x509.load_pem_x509_certificate(chain.encode())
    assert server.peer_identity(server_side).sha256 == der.fingerprint(x509.base.hashes.SHA256()).hex()


async def test_a_server_of_another_service_account_is_not_accepted(ca, tls_pair):
    server, client = ServerTls(SERVER, identity(ca, PAYMENT)), ClientTls(meant_for(WEB), identity(ca, WEB))
    pair = await tls_pair(context_of(server), context_of(client))
    client_side, _ = await pair.ssl_objects()
    assert client.verify(client_side) == SAN_MISMATCH


async def test_one_matching_identity_of_several_is_enough(ca, tls_pair):
    server, client = ServerTls(SERVER, identity(ca, PAYMENT)), ClientTls(meant_for(WEB, PAYMENT), identity(ca, WEB))
    pair = await tls_pair(context_of(server), context_of(client))
    client_side, _ = await pair.ssl_objects()
    assert client.verify(client_side) is None


async def test_a_server_of_another_ca_fails_the_handshake(ca, other_ca, tls_pair):
    server, client = ServerTls(SERVER, identity(other_ca, PAYMENT)), ClientTls(meant_for(PAYMENT), identity(ca, WEB))
    with pytest.raises(ssl.SSLCertVerificationError):
        await tls_pair(context_of(server), context_of(client))


async def test_a_client_of_another_ca_never_gets_through(ca, other_ca, tls_pair):
    secrets = identity(other_ca, WEB)
    secrets.apply(SecretConfig(ROOT_CA, validation=CertificateValidation(trusted_ca=ca.root)))
    server, client = ServerTls(SERVER, identity(ca, PAYMENT)), ClientTls(meant_for(PAYMENT), secrets)
    server_context = context_of(server)
    server_context.maximum_version = ssl.TLSVersion.TLSv1_2  # so that the client hears of it in its handshake
    with pytest.raises(OSError):  # noqa: PT011  an alert, or a reset that overtook it
        await tls_pair(server_context, context_of(client))


async def test_an_expired_server_certificate_fails_the_handshake(ca, tls_pair):
    secrets = identity(ca, PAYMENT)
    secrets.apply(SecretConfig(OWN_CERTIFICATE, tls_certificate=ca.issue(PAYMENT, begins=-100, life=50)))
    server, client = ServerTls(SERVER, secrets), ClientTls(meant_for(PAYMENT), identity(ca, WEB))
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        await tls_pair(context_of(server), context_of(client))


async def test_a_renewed_certificate_serves_new_connections_while_old_ones_live_on(ca, tls_pair):
    secrets = identity(ca, PAYMENT)
    server, client = ServerTls(SERVER, secrets), ClientTls(meant_for(PAYMENT), identity(ca, WEB))
    old = await tls_pair(context_of(server), context_of(client))
    old_client_side, _ = await old.ssl_objects()
    before = client.peer_identity(old_client_side).sha256

    secrets.apply(SecretConfig(OWN_CERTIFICATE, tls_certificate=ca.issue(PAYMENT)))
    new = await tls_pair(context_of(server), context_of(client))
    new_client_side, _ = await new.ssl_objects()

    assert client.peer_identity(new_client_side).sha256 != before
    await old.talk()
    await new.talk()


async def test_a_client_sends_the_sni_of_its_cluster(ca, tls_pair):
    seen = asyncio.get_running_loop().create_future()
    server, client = ServerTls(SERVER, identity(ca, PAYMENT)), ClientTls(meant_for(PAYMENT), identity(ca, WEB))
    server_context = context_of(server)
    server_context.sni_callback = lambda _object, name, _context: seen.set_result(name)
    # sni_callback needs Python's own SSLObject at the server: with aiofastnet's it crashes the interpreter
    await tls_pair(server_context, context_of(client), client.server_hostname, plain_server=True)
    assert await seen == "outbound_.80_._.payment.default.svc.cluster.local"


def gateway_server(ca, **names) -> ServerTls:
    return ServerTls(DownstreamTlsConfig(CommonTlsConfig(certificates=(ca.issue("", **names),))), SecretStore())


def external_client(ca, sni: str, **config) -> ClientTls:
    common = CommonTlsConfig(validation=CertificateValidation(trusted_ca=ca.root))
    return ClientTls(UpstreamTlsConfig(common, sni=sni, **config), SecretStore())


@pytest.mark.parametrize(
    ("names", "sni", "failure"),
    [
        ({"dns": ["api.example.com"]}, "api.example.com", None),
        ({"dns": ["*.example.com"]}, "api.example.com", None),
        ({"dns": ["*.example.com"]}, "a.b.example.com", SAN_MISMATCH),
        ({"dns": ["other.example.com"]}, "api.example.com", SAN_MISMATCH),
        ({"ips": ["127.0.0.1"]}, "127.0.0.1", None),
    ],
)
async def test_a_host_is_checked_against_the_names_of_its_certificate_if_asked(ca, tls_pair, names, sni, failure):
    server, client = gateway_server(ca, **names), external_client(ca, sni, auto_sni_san_validation=True)
    pair = await tls_pair(context_of(server), context_of(client), client.server_hostname)
    client_side, _ = await pair.ssl_objects()
    assert client.verify(client_side) == failure


async def test_a_server_that_asks_for_no_certificate_learns_no_identity(ca, tls_pair):
    server, client = gateway_server(ca, dns=["shop.example.com"]), external_client(ca, "shop.example.com")
    pair = await tls_pair(context_of(server), context_of(client), client.server_hostname)
    _, server_side = await pair.ssl_objects()
    assert server.verify(server_side) is None
    assert server.peer_identity(server_side) is None


async def test_a_client_certificate_without_the_wanted_name_is_refused(ca, tls_pair):
    names = (SubjectAltNameMatcher("URI", PAYMENT),)
    common = CommonTlsConfig((), (OWN_CERTIFICATE,), CertificateValidation(subject_alt_names=names), ROOT_CA)
    server = ServerTls(DownstreamTlsConfig(common, True), identity(ca, PAYMENT))
    client = ClientTls(meant_for(PAYMENT), identity(ca, WEB))
    pair = await tls_pair(context_of(server), context_of(client))
    _, server_side = await pair.ssl_objects()
    assert server.verify(server_side) == SAN_MISMATCH


async def test_an_unverified_server_is_accepted_where_nothing_is_trusted(other_ca, tls_pair):
    server = gateway_server(other_ca, dns=["anything"])
    client = ClientTls(UpstreamTlsConfig(CommonTlsConfig(), "api.example.com"), SecretStore())
    pair = await tls_pair(context_of(server), context_of(client), client.server_hostname)
    client_side, _ = await pair.ssl_objects()
    assert client.verify(client_side) is None


def test_a_client_that_shows_no_certificate_is_refused_by_name_where_names_are_wanted():
    class NoCertificate:
        def getpeercert(self, binary_form: bool = False) -> None:
            return None

    names = (SubjectAltNameMatcher("URI", PAYMENT),)
    client = external_client_of_names(names)
    assert client.verify(NoCertificate()) == NO_PEER_CERTIFICATE  # type: ignore[arg-type]


def external_client_of_names(names: tuple[SubjectAltNameMatcher, ...]) -> ClientTls:
    validation = CertificateValidation(system_roots=True, subject_alt_names=names)
    client = ClientTls(UpstreamTlsConfig(CommonTlsConfig(validation=validation), "api"), SecretStore())
    context_of(client)
    return client


def test_there_is_no_context_while_a_secret_is_missing(ca):
    secrets = SecretStore()
    server = ServerTls(SERVER, secrets)
    assert server.ssl_context() is None
    secrets.apply(SecretConfig(OWN_CERTIFICATE, tls_certificate=ca.issue(PAYMENT)))
    assert server.ssl_context() is None
    secrets.apply(SecretConfig(ROOT_CA, validation=CertificateValidation(trusted_ca=ca.root)))
    assert server.ssl_context() is not None


def test_a_required_client_certificate_without_a_root_to_verify_it_makes_no_context(ca):
    secrets = identity(ca, PAYMENT)
    secrets.apply(SecretConfig(ROOT_CA, validation=CertificateValidation()))
    assert ServerTls(SERVER, secrets).ssl_context() is None


def test_clusters_with_the_same_certificate_and_root_share_a_context(ca):
    secrets = identity(ca, WEB)
    first, second = ClientTls(meant_for(PAYMENT), secrets), ClientTls(meant_for(WEB), secrets)
    assert first.ssl_context() is second.ssl_context()


def test_a_secret_that_changes_nothing_keeps_the_context(ca):
    secrets = identity(ca, WEB)
    client = ClientTls(meant_for(PAYMENT), secrets)
    before = client.ssl_context()
    secrets.apply(SecretConfig("other", tls_certificate=ca.issue(WEB)))
    assert client.ssl_context() is before


def test_contexts_speak_tls_1_2_or_later(ca):
    assert context_of(ServerTls(SERVER, identity(ca, PAYMENT))).minimum_version == ssl.TLSVersion.TLSv1_2
    assert context_of(ClientTls(meant_for(PAYMENT), identity(ca, WEB))).minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_mesh_server_gives_no_session_tickets(ca):
    assert context_of(ServerTls(SERVER, identity(ca, PAYMENT))).num_tickets == 0
    assert context_of(gateway_server(ca, dns=["shop.example.com"])).num_tickets > 0


def write_certificate(directory: Path, certificate: TlsCertificate) -> str:
    (directory / "tls.crt").write_text(certificate.certificate_chain)
    (directory / "tls.key").write_text(certificate.private_key)
    return file_certificate(f"{directory}/tls.crt", f"{directory}/tls.key")


def test_a_certificate_in_files_is_read_again_when_they_change(ca, tmp_path):
    name = write_certificate(tmp_path, ca.issue(PAYMENT))
    server = ServerTls(DownstreamTlsConfig(CommonTlsConfig(certificate_secrets=(name,))), SecretStore())
    before = context_of(server)
    assert context_of(server) is before
    write_certificate(tmp_path, ca.issue(PAYMENT))
    assert context_of(server) is not before


def test_a_missing_or_broken_file_is_a_missing_secret(ca, tmp_path):
    name = write_certificate(tmp_path, ca.issue(PAYMENT))
    server = ServerTls(DownstreamTlsConfig(CommonTlsConfig(certificate_secrets=(name,))), SecretStore())
    (tmp_path / "tls.key").write_text("not a key")
    assert server.ssl_context() is None
    (tmp_path / "tls.key").unlink()
    assert server.ssl_context() is None
    write_certificate(tmp_path, ca.issue(PAYMENT))
    assert server.ssl_context() is not None


def test_roots_may_be_a_file_or_the_systems(ca, tmp_path):
    (tmp_path / "root.pem").write_text(ca.root)
    secrets = SecretStore()
    assert secrets.get(file_root(f"{tmp_path}/root.pem")).validation.trusted_ca == ca.root
    assert secrets.get(SYSTEM_ROOTS).validation.system_roots


def test_a_private_key_is_not_in_any_repr(ca):
    secrets = identity(ca, PAYMENT)
    assert "PRIVATE KEY" not in repr(secrets.get(OWN_CERTIFICATE))
