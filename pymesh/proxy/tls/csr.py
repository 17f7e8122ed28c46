"""A private key and the request to certify it. The only module of the proxy that needs the cryptography package.

That package costs 10 MB of resident memory for something that is done twice a day, so it is done in a child process:
`python -m pymesh.proxy.tls.csr URI` prints both as PEM.
"""

import asyncio
import sys

from pymesh.errors import PymeshError

_KEY_END = "-----END PRIVATE KEY-----\n"


class CsrError(PymeshError):
    """The child process did not make one."""


async def request_certificate_pem(uri: str) -> tuple[str, str]:
    """A new ECDSA P-256 key (PKCS#8) and a CSR with this URI as its subjectAltName, both PEM, of a child process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, uri, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        output, errors = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        raise
    if process.returncode != 0:
        last = errors.decode(errors="replace").strip().splitlines()[-1:]
        raise CsrError(f"no certificate request was made: {' '.join(last) or process.returncode}")
    key, end, csr = output.decode("ascii").partition(_KEY_END)
    return key + end, csr


def make_key_and_csr(uri: str) -> tuple[str, str]:
    """The same in this process."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)])
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    # SPIFFE X.509-SVID 4.1: with an empty subject the SAN extension must be critical.
    csr = request.add_extension(names, critical=True).sign(key, hashes.SHA256())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode("ascii"), csr.public_bytes(Encoding.PEM).decode("ascii")


if __name__ == "__main__":
    print(*make_key_and_csr(sys.argv[1]), sep="", end="")
