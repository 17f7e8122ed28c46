import datetime

import pytest
import trustme

from pymesh.errors import DecodeError
from pymesh.protojson import Reader
from pymesh.proxy.tls.certificates import CertificateValidation, SecretConfig, TlsCertificate
from pymesh.proxy.xds.sds import decode_secret

NAME = "kubernetes://shop-credential"
CA = trustme.CA()
ROOT = CA.cert_pem.bytes().decode()


def certificate(**options) -> TlsCertificate:
    issued = CA.issue_cert("shop.example.com", **options)
    chain = "".join(blob.bytes().decode() for blob in issued.cert_chain_pems)
    return TlsCertificate(chain, issued.private_key_pem.bytes().decode())


def tls_certificate(chain: str, key: str) -> dict:
    return {"certificate_chain": {"inline_string": chain}, "private_key": {"inline_string": key}}


def decode(**fields) -> SecretConfig:
    reader = Reader({"name": NAME, **fields})
    secret = decode_secret(reader)
    reader.reject_unread()
    return secret


def test_a_gateways_credential_is_a_certificate_with_its_key():
    issued = certificate()
    secret = decode(tls_certificate=tls_certificate(issued.certificate_chain, issued.private_key))
    assert secret == SecretConfig(NAME, tls_certificate=issued)


def test_an_expired_certificate_is_taken_as_clients_will_judge_it():
    issued = certificate(not_after=datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
    assert decode(tls_certificate=tls_certificate(issued.certificate_chain, issued.private_key))


def test_a_validation_context_is_whom_to_trust():
    secret = decode(validation_context={"trusted_ca": {"inline_string": ROOT}})
    assert secret == SecretConfig(NAME, validation=CertificateValidation(trusted_ca=ROOT))


def test_a_key_of_another_certificate_is_rejected():
    one, other = certificate(), certificate()
    with pytest.raises(DecodeError, match=r"^tls_certificate.private_key: is not usable: .*mismatch"):
        decode(tls_certificate=tls_certificate(one.certificate_chain, other.private_key))


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({}, "tls_certificate"),
        ({"tls_certificate": tls_certificate("no", "no")}, "tls_certificate.private_key"),
        ({"tls_certificate": {"certificate_chain": {"inline_string": ""}}}, "tls_certificate.private_key"),
        ({"validation_context": {"trusted_ca": {"inline_string": "no"}}}, "validation_context.trusted_ca"),
        ({"validation_context": {}, "tls_certificate": {}}, "validation_context"),
        ({"generic_secret": {}}, "tls_certificate"),
    ],
)
def test_what_is_no_secret_of_ours_is_rejected_by_its_path(fields, path):
    with pytest.raises(DecodeError) as error:
        decode(**fields)
    assert error.value.path == path
