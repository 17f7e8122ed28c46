import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pymesh.proxy.tls.csr import CertificateRequest, CsrError

PAYMENT = "spiffe://cluster.local/ns/default/sa/payment"


async def test_the_request_names_the_uri_and_is_signed_with_the_key():
    key, pem = await CertificateRequest(PAYMENT).read()
    csr = x509.load_pem_x509_csr(pem.encode())
    extension = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert extension.value.get_values_for_type(x509.UniformResourceIdentifier) == [PAYMENT]
    assert extension.critical
    assert csr.is_signature_valid
    assert load_pem_private_key(key.encode(), None).public_key() == csr.public_key()


async def test_a_child_that_fails_says_why():
    with pytest.raises(CsrError, match=r"^no certificate request was made: ValueError: "):
        await CertificateRequest("spiffe://cluster.local/ns/ü").read()
