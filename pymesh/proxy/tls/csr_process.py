"""`python -m pymesh.proxy.tls.csr_process URI` makes a private key and a request to certify it, and prints both as PEM.

The only module of the proxy that needs the cryptography package, which costs 10 MB of resident memory for something
that is done twice a day: hence a process of its own. A start of a proxy waits for it, so nothing else is imported here.
"""

import sys


def make_key_and_csr(uri: str) -> tuple[str, str]:
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
