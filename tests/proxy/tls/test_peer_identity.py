import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from pymesh.proxy.tls.certificates import CertificateValidation
from pymesh.proxy.tls.config import CommonTlsConfig, DownstreamTlsConfig, UpstreamTlsConfig
from pymesh.proxy.tls.contexts import ClientTls, ServerTls
from pymesh.proxy.tls.peer_identity import PeerIdentity, rfc2253_name
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
