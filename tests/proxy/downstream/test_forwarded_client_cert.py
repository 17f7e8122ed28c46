from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.downstream.forwarded_client_cert import XFCC, ForwardedClientCert
from pymesh.proxy.downstream.hcm_config import ClientCertDetails, HttpConnectionManagerConfig
from pymesh.proxy.tls.peer_identity import PeerIdentity

WEB = "spiffe://cluster.local/ns/default/sa/web"
PAYMENT = "spiffe://cluster.local/ns/default/sa/payment"
PEER = PeerIdentity((WEB,), ("web.example",), 'CN="x"', "ab12")
ALL = ClientCertDetails(subject=True, uri=True, dns=True)
ELEMENT = f'By={PAYMENT};Hash=ab12;Subject="CN=\\"x\\"";URI={WEB};DNS=web.example'.encode()


def forward(mode: str, peer: PeerIdentity | None = PEER, before: bytes | None = b"Hash=evil") -> bytes | None:
    config = HttpConnectionManagerConfig(forward_client_cert_details=mode, set_current_client_cert_details=ALL)
    headers = HeaderMap() if before is None else HeaderMap([(XFCC, before)])
    ForwardedClientCert(config, peer, PAYMENT).apply(headers)
    return headers.get(XFCC)


def test_the_certificate_itself_is_pem_in_url_encoding() -> None:
    details = ClientCertDetails(cert=True)
    config = HttpConnectionManagerConfig(
        forward_client_cert_details="SANITIZE_SET", set_current_client_cert_details=details
    )
    headers = HeaderMap()
    ForwardedClientCert(config, PEER._replace(certificate=b"\xfb\xff\xfe~"), "").apply(headers)
    pem = "-----BEGIN%20CERTIFICATE-----%0A%2B%2F%2F%2Bfg%3D%3D%0A-----END%20CERTIFICATE-----%0A"
    assert headers.get(XFCC) == f'Hash=ab12;Cert="{pem}"'.encode()


def test_sanitize_removes_what_came() -> None:
    assert forward("SANITIZE") is None


def test_sanitize_set_replaces_what_came() -> None:
    assert forward("SANITIZE_SET") == ELEMENT


def test_append_forward_adds_an_element() -> None:
    assert forward("APPEND_FORWARD") == b"Hash=evil," + ELEMENT
    assert forward("APPEND_FORWARD", before=None) == ELEMENT


def test_forward_only_leaves_it_alone() -> None:
    assert forward("FORWARD_ONLY") == b"Hash=evil"


def test_without_a_certificate_nobody_is_believed() -> None:
    assert forward("APPEND_FORWARD", peer=None) is None
    assert forward("FORWARD_ONLY", peer=None) is None
    assert forward("ALWAYS_FORWARD_ONLY", peer=None) == b"Hash=evil"
