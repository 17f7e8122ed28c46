import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from pymesh.errors import DecodeError
from pymesh.protojson import Reader
from pymesh.proxy.tls.config import decode_downstream_tls, decode_validation
from pymesh.proxy.tls.file_secrets import file_root
from pymesh.proxy.tls.secrets import SecretStore


@pytest.fixture(scope="module")
def crl() -> str:
    now = datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test root")])
    builder = x509.CertificateRevocationListBuilder().issuer_name(name).last_update(now)
    signed = builder.next_update(now + datetime.timedelta(days=1)).sign(
        ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()
    )
    return signed.public_bytes(Encoding.PEM).decode()


def test_a_list_comes_inline_with_the_authority(ca, crl):
    validation = decode_validation(Reader({"trusted_ca": {"inline_string": ca.root}, "crl": {"inline_string": crl}}))
    assert (validation.trusted_ca, validation.crl) == (ca.root, crl)


def test_a_list_in_a_file_is_read_with_the_file_of_the_authority(ca, crl, tmp_path):
    (tmp_path / "ca").write_text(ca.root)
    (tmp_path / "crl").write_text(crl)
    files = {"trusted_ca": {"filename": f"{tmp_path}/ca"}, "crl": {"filename": f"{tmp_path}/crl"}}
    certificate = {"name": "default"}
    common = {"tls_certificate_sds_secret_configs": [certificate], "validation_context": files}
    config = decode_downstream_tls(Reader({"common_tls_context": common}))
    assert config.common.validation_secret == file_root(f"{tmp_path}/ca", f"{tmp_path}/crl")
    secret = SecretStore().get(config.common.validation_secret)
    assert (secret.validation.trusted_ca, secret.validation.crl) == (ca.root, crl)


@pytest.mark.parametrize("kind", ["rubbish", "certificate"])
def test_what_is_no_list_is_refused(ca, kind):
    text = ca.root if kind == "certificate" else "rubbish"
    with pytest.raises(DecodeError, match="crl: is not usable"):
        decode_validation(Reader({"crl": {"inline_string": text}}))
