from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pymesh.errors import DecodeError
from pymesh.protojson import Reader
from pymesh.proxy.tls.certificates import CertificatePins, CertificateValidation
from pymesh.proxy.tls.config import decode_validation
from pymesh.proxy.tls.pinned_certificate import is_pinned, public_key_info


@pytest.fixture
def certificate(ca) -> x509.Certificate:
    return x509.load_pem_x509_certificate(ca.issue(dns=["a.example"] * 20).certificate_chain.encode())


def test_public_key_is_found_in_the_certificate(certificate):
    expected = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert public_key_info(certificate.public_bytes(Encoding.DER)) == expected


def test_one_hash_of_either_kind_is_enough(certificate):
    der = certificate.public_bytes(Encoding.DER)
    key = sha256(public_key_info(der)).digest()
    other = b"x" * 32
    assert is_pinned(der, CertificatePins(frozenset({other}), frozenset({key})))
    assert is_pinned(der, CertificatePins(frozenset({sha256(der).digest()}), frozenset({other})))
    assert not is_pinned(der, CertificatePins(frozenset({other, key}), frozenset({other})))


def test_hashes_are_read_in_hexadecimal_with_or_without_colons_and_in_base64():
    digest = bytes(range(32))
    validation = decode_validation(
        Reader(
            {
                "verify_certificate_hash": [digest.hex(":").upper(), digest.hex()],
                "verify_certificate_spki": ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="],
            }
        )
    )
    assert validation.pins == CertificatePins(frozenset({digest}), frozenset({digest}))


@pytest.mark.parametrize("field", ["verify_certificate_hash", "verify_certificate_spki"])
def test_what_is_no_hash_is_refused(field):
    with pytest.raises(DecodeError, match=f"{field}: abc is no SHA-256 hash"):
        decode_validation(Reader({field: ["abc"]}))


def test_pins_of_a_config_and_of_its_secret_join():
    one, other = (CertificateValidation(pins=CertificatePins(frozenset({pin}))) for pin in (b"a", b"b"))
    assert one.merged(other).pins == CertificatePins(frozenset({b"a", b"b"}))
