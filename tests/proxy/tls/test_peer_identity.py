import ssl
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

import pymesh.proxy.tls.peer_identity as peer_identity_module
from pymesh.proxy.tls.certificates import CertificateValidation
from pymesh.proxy.tls.config import CommonTlsConfig, DownstreamTlsConfig, UpstreamTlsConfig
from pymesh.proxy.tls.contexts import ClientTls, ServerTls
from pymesh.proxy.tls.peer_identity import PeerIdentity, peer_identity, rfc2253_name
from pymesh.proxy.tls.secrets import SecretStore

IDENTITY = PeerIdentity(("https://x", "spiffe://td/ns/a/sa/b"), (), "", "")


def test_the_principal_is_the_spiffe_uri():
    assert IDENTITY.principal == "spiffe://td/ns/a/sa/b"
    assert IDENTITY._replace(uris=("https://x",)).principal == ""


@pytest.mark.parametrize(
    ("rdns", "text"),
    [
        ((), ""),
        (((("countryName", "DE"),), (("organizationName", "Shop"),), (("commonName", "web"),)), "CN=web,O=Shop,C=DE"),
        (((("commonName", "a,b+c"),),), "CN=a\\,b\\+c"),
        (((("commonName", "#a "),),), "CN=\\#a\\ "),
        (((("commonName", "a"), ("userId", "u")),), "CN=a+UID=u"),
    ],
)
def test_a_subject_is_written_as_rfc_2253_says(rdns, text):
    assert rfc2253_name(rdns) == text


async def test_the_subject_of_a_client_certificate_is_seen_on_every_transport(ca, tls_pair):
    attributes = [(NameOID.COUNTRY_NAME, "DE"), (NameOID.ORGANIZATION_NAME, "Shop, Inc"), (NameOID.COMMON_NAME, "me")]
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])
    trust = CertificateValidation(trusted_ca=ca.root)
    client_config = CommonTlsConfig((ca.issue("", dns=["me.example.com"], subject=subject),), validation=trust)
    server_config = CommonTlsConfig((ca.issue(),), validation=trust)
    server = ServerTls(DownstreamTlsConfig(server_config, True), SecretStore())
    client = ClientTls(UpstreamTlsConfig(client_config), SecretStore())
    pair = await tls_pair(server.ssl_context(), client.ssl_context())
    _, server_side = await pair.ssl_objects()
    peer = server.peer_identity(server_side)
    assert peer.subject == "CN=me,O=Shop\\, Inc,C=DE"
    assert peer.dns_names == ("me.example.com",)


class Connection:
    """A TLS connection whose peer has shown a certificate. `decoded` counts how often that was read."""

    def __init__(self, der: bytes, verify_mode: ssl.VerifyMode = ssl.CERT_REQUIRED) -> None:
        self.context = SimpleNamespace(verify_mode=verify_mode)
        self.decoded = 0
        self._der = der

    def getpeercert(self, binary_form: bool = False) -> Any:
        if binary_form:
            return self._der
        self.decoded += 1
        return {"subjectAltName": (("URI", f"spiffe://{self._der.decode()}"),)}


def test_a_peer_that_comes_again_is_known_by_its_certificate():
    first, again, other = Connection(b"one"), Connection(b"one"), Connection(b"two")
    assert [peer_identity(connection).principal for connection in (first, again, other)] == [
        "spiffe://one",
        "spiffe://one",
        "spiffe://two",
    ]
    assert (first.decoded, again.decoded) == (1, 0)


def test_a_certificate_that_nobody_has_verified_is_no_identity_even_where_it_is_known():
    assert peer_identity(Connection(b"three")) is not None
    assert peer_identity(Connection(b"three", ssl.CERT_NONE)) is None


def test_the_known_certificates_are_bounded():
    for number in range(2_500):
        peer_identity(Connection(b"peer-%d" % number))
    again = Connection(b"peer-2499")
    peer_identity(again)
    assert again.decoded == 0
    assert len(peer_identity_module._identities) <= 1_000
