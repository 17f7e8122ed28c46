import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pymesh.control.ca.authority import open_authority


class UtcClock:
    def __init__(self):
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self):
        return self.now

    def advance(self, **duration):
        self.now += timedelta(**duration)


@pytest.fixture
def utc_clock():
    return UtcClock()


@pytest.fixture
def authority(tmp_path):
    return open_authority(tmp_path / "ca")


@pytest.fixture
def make_csr():
    """make_csr(uri=None, key=None) -> CSR in PEM."""

    def build(uri=None, key=None):
        key = key or ec.generate_private_key(ec.SECP256R1())
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        if uri is not None:
            names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    return build


@pytest.fixture
def client_context(authority, make_csr, tmp_path):
    """client_context(identity, ttl=...) -> what a workload with that identity connects with; None: no certificate."""

    def build(identity=None, ttl=timedelta(hours=1)):
        context = ssl.create_default_context(cadata=authority.root_pem)
        if identity is not None:
            key = ec.generate_private_key(ec.SECP256R1())
            pem = key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            path = tmp_path / "client.pem"
            path.write_text(pem.decode() + "".join(authority.issue(make_csr(key=key), identity, ttl)))
            context.load_cert_chain(path)
        return context

    return build
