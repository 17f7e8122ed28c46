from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID
from cryptography.x509.verification import PolicyBuilder, Store

from pymesh.control.ca.authority import CsrError, TtlError, open_authority
from pymesh.errors import UsageError
from pymesh.spiffe import SpiffeId

PAYMENT = SpiffeId("shop", "payment")


def leaf_of(chain):
    return x509.load_pem_x509_certificate(chain[0].encode())


def test_root_is_a_p256_certificate_authority_for_ten_years(authority):
    root = authority.certificate
    assert isinstance(root.public_key().curve, ec.SECP256R1)
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert root.not_valid_after_utc - root.not_valid_before_utc >= timedelta(days=3650)


def test_key_files_are_for_the_owner_only(authority, tmp_path):
    assert (tmp_path / "ca").stat().st_mode & 0o777 == 0o700
    for path in (tmp_path / "ca").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600


def test_root_stays_the_same_when_it_is_opened_again(authority, tmp_path):
    assert open_authority(tmp_path / "ca").root_pem == authority.root_pem


def test_a_key_that_others_could_read_is_closed_again(authority, tmp_path):
    (tmp_path / "ca" / "ca-key.pem").chmod(0o644)
    open_authority(tmp_path / "ca")
    assert (tmp_path / "ca" / "ca-key.pem").stat().st_mode & 0o777 == 0o600


def test_leaf_carries_the_identity_and_nothing_that_the_csr_asked_for(authority, make_csr):
    leaf = leaf_of(authority.issue(make_csr(uri="spiffe://cluster.local/ns/root/sa/admin"), PAYMENT))
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.value.get_values_for_type(x509.UniformResourceIdentifier) == [str(PAYMENT)]
    assert names.critical
    usage = leaf.extensions.get_extension_for_oid(ExtensionOID.EXTENDED_KEY_USAGE).value
    assert set(usage) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}


def test_chain_is_leaf_then_root_and_verifies(authority, make_csr):
    chain = authority.issue(make_csr(), PAYMENT)
    assert chain[1] == authority.root_pem
    verifier = PolicyBuilder().store(Store([authority.certificate])).build_client_verifier()
    assert verifier.verify(leaf_of(chain), []).chain[-1] == authority.certificate


def test_leaf_lives_a_day_from_two_minutes_ago(tmp_path, utc_clock, make_csr):
    leaf = leaf_of(open_authority(tmp_path / "ca", clock=utc_clock).issue(make_csr(), PAYMENT))
    assert leaf.not_valid_before_utc == utc_clock.now - timedelta(minutes=2)
    assert leaf.not_valid_after_utc == utc_clock.now + timedelta(hours=24)


def test_leaf_does_not_outlive_the_root(tmp_path, utc_clock, make_csr):
    authority = open_authority(tmp_path / "ca", clock=utc_clock)
    utc_clock.advance(days=3649)
    assert leaf_of(authority.issue(make_csr(), PAYMENT, timedelta(days=30))).not_valid_after_utc == authority.not_after


@pytest.mark.parametrize("ttl", [timedelta(days=91), timedelta(0), timedelta(seconds=-1)])
def test_a_lifetime_out_of_range_is_refused(authority, make_csr, ttl):
    with pytest.raises(TtlError):
        authority.issue(make_csr(), PAYMENT, ttl)


@pytest.mark.parametrize("make_key", [lambda: ec.generate_private_key(ec.SECP384R1()), lambda: rsa_key(2048)])
def test_common_strong_keys_are_certified(authority, make_csr, make_key):
    key = make_key()
    assert leaf_of(authority.issue(make_csr(key=key), PAYMENT)).public_key() == key.public_key()


@pytest.mark.parametrize("make_key", [lambda: ec.generate_private_key(ec.SECP521R1()), lambda: rsa_key(1024)])
def test_weak_and_unusual_keys_are_refused(authority, make_csr, make_key):
    with pytest.raises(CsrError, match="neither ECDSA"):
        authority.issue(make_csr(key=make_key()), PAYMENT)


def test_an_edwards_key_is_refused(authority):
    from cryptography.hazmat.primitives.serialization import Encoding

    key = ed25519.Ed25519PrivateKey.generate()
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, None)
    with pytest.raises(CsrError, match="neither ECDSA"):
        authority.issue(csr.public_bytes(Encoding.PEM), PAYMENT)


def test_a_csr_that_its_key_did_not_sign_is_refused(authority, make_csr):
    import base64

    lines = make_csr().strip().splitlines()
    der = bytearray(base64.b64decode("".join(lines[1:-1])))
    der[-1] ^= 1  # in the signature
    pem = "\n".join([lines[0], base64.b64encode(bytes(der)).decode(), lines[-1]])
    with pytest.raises(CsrError, match="not signed by its own key"):
        authority.issue(pem, PAYMENT)


def test_garbage_is_not_a_csr(authority):
    with pytest.raises(CsrError, match="cannot be read"):
        authority.issue("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", PAYMENT)


def test_a_certificate_without_its_key_is_a_usage_error(authority, tmp_path):
    (tmp_path / "ca" / "ca-key.pem").unlink()
    with pytest.raises(UsageError, match="is missing"):
        open_authority(tmp_path / "ca")


def test_a_certificate_of_another_key_is_a_usage_error(authority, tmp_path):
    open_authority(tmp_path / "other")
    (tmp_path / "other" / "ca-key.pem").replace(tmp_path / "ca" / "ca-key.pem")
    with pytest.raises(UsageError, match="is not the certificate of the key"):
        open_authority(tmp_path / "ca")


def test_a_damaged_key_is_a_usage_error(authority, tmp_path):
    (tmp_path / "ca" / "ca-key.pem").write_text("no key")
    with pytest.raises(UsageError, match="is not a private key"):
        open_authority(tmp_path / "ca")


def rsa_key(bits):
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)
