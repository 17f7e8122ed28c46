"""TLS at a gateway that is a real process: every mode, several certificates, connections passed through."""

import datetime
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from e2e.real_envoy import Envoy

ECDSA, RSA = trustme.KeyType.ECDSA, trustme.KeyType.RSA

RULES = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: web}}
spec:
  hosts: [web.internal]
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP}}]
  endpoints: [{{address: 127.0.0.1, ports: {{http: {web}}}}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: echo}}
spec:
  hosts: [echo.internal]
  resolution: STATIC
  ports: [{{number: 7, name: tcp, protocol: TCP}}]
  endpoints: [{{address: 127.0.0.1, ports: {{tcp: {echo}}}}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: secure}}
spec:
  hosts: [secure.internal]
  resolution: STATIC
  ports: [{{number: 443, name: tls, protocol: TLS}}]
  endpoints: [{{address: 127.0.0.1, ports: {{tls: {secure}}}}}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: edge}}
spec:
  selector: {{istio: ingressgateway}}
  servers:
  - port: {{number: 80, name: http, protocol: HTTP}}
    hosts: ["*.example.com"]
    tls: {{httpsRedirect: true}}
  - port: {{number: 443, name: mutual, protocol: HTTPS}}
    hosts: [mutual.example.com]
    tls: {{mode: MUTUAL, {verifying}}}
  - port: {{number: 443, name: named, protocol: HTTPS}}
    hosts: [named.example.com]
    tls: {{mode: MUTUAL, {verifying}, subjectAltNames: [admin.client]}}
  - port: {{number: 443, name: pinned, protocol: HTTPS}}
    hosts: [pinned.example.com]
    tls: {{mode: MUTUAL, {verifying}, verifyCertificateHash: ["{pin}"]}}
  - port: {{number: 443, name: optional, protocol: HTTPS}}
    hosts: [optional.example.com]
    tls: {{mode: OPTIONAL_MUTUAL, {verifying}}}
  - port: {{number: 443, name: several, protocol: HTTPS}}
    hosts: [several.example.com]
    tls: {{mode: SIMPLE, {several}}}
  - port: {{number: 443, name: modern, protocol: HTTPS}}
    hosts: [modern.example.com]
    tls: {{mode: SIMPLE, {server}, minProtocolVersion: TLSV1_3}}
  - port: {{number: 443, name: ciphers, protocol: HTTPS}}
    hosts: [ciphers.example.com]
    tls: {{mode: SIMPLE, {server}, maxProtocolVersion: TLSV1_2, cipherSuites: [RC4-MD5, ECDHE-ECDSA-AES256-GCM-SHA384]}}
  - port: {{number: 443, name: echo, protocol: TLS}}
    hosts: [echo.example.com]
    tls: {{mode: SIMPLE, {server}}}
  - port: {{number: 443, name: through, protocol: TLS}}
    hosts: ["*.through.example.com"]
    tls: {{mode: PASSTHROUGH}}
  - port: {{number: 7, name: tcp, protocol: TCP}}
    hosts: ["*"]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: edge}}
spec:
  hosts: ["*.example.com"]
  gateways: [edge]
  http:
  - route: [{{destination: {{host: web.internal}}}}]
  tcp:
  - match: [{{port: 443}}, {{port: 7}}]
    route: [{{destination: {{host: echo.internal}}}}]
  tls:
  - match: [{{sniHosts: [secure.through.example.com]}}]
    route: [{{destination: {{host: secure.internal}}}}]
  - match: [{{sniHosts: [echo.through.example.com]}}]
    route: [{{destination: {{host: echo.internal}}}}]
---
{objects}
"""
SECRET = """
apiVersion: v1
kind: Secret
metadata: {{name: {name}, namespace: istio-system}}
stringData: {data}
---
"""
PORTS = (80, 443, 7)

Connect = Callable[..., ssl.SSLSocket]
Ports = dict[int, int]


class Certificates:
    """The server's authority, that of its clients, and one that nobody trusts."""

    def __init__(self) -> None:
        self.ca, self.clients, self.strangers = trustme.CA(), trustme.CA(), trustme.CA()
        self.server = self.ca.issue_cert("*.example.com", "*.through.example.com", key_type=ECDSA)
        self.rsa = self.ca.issue_cert("*.example.com", key_type=RSA)
        self.client = self.clients.issue_cert("user.client")
        self.admin = self.clients.issue_cert("admin.client")
        self.stranger = self.strangers.issue_cert("user.client")
        self.revoked = self.clients.issue_cert("user.client")
        self.crl = _revocation_list(self.clients, self.revoked)


def _revocation_list(authority: trustme.CA, revoked: trustme.LeafCert) -> bytes:
    now = datetime.datetime.now(datetime.UTC)
    issuer, certificate = (
        x509.load_pem_x509_certificate(found.bytes()) for found in (authority.cert_pem, revoked.cert_chain_pems[0])
    )
    entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number).revocation_date(now).build()
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.subject).last_update(now)
    builder = builder.next_update(now + datetime.timedelta(days=1)).add_revoked_certificate(entry)
    key = load_pem_private_key(authority.private_key_pem.bytes(), None)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def pem(certificate: trustme.LeafCert) -> str:
    return certificate.cert_chain_pems[0].bytes().decode()


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    return Certificates()


@pytest.fixture(scope="module")
def secure_app(certificates: Certificates) -> Iterator[int]:
    """A TLS server that says its name; ends with the tests."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificates.server.configure_cert(context)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with context.wrap_socket(connection, server_side=True) as secured:
                secured.sendall(b"secure app")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


@pytest.fixture(scope="module")
def apps(module_mesh, secure_app: int) -> dict[str, int]:
    """What is behind the gateway: their ports. The control plane runs, too."""
    module_mesh.control()
    return {
        "web": module_mesh.http_app("web").port,
        "echo": module_mesh.tcp_app(b"echo ").port,
        "secure": secure_app,
    }


class Credentials(NamedTuple):
    """What a Gateway says of its certificates: the server's, that with its clients' authority, several, and objects."""

    server: str
    verifying: str
    several: str
    objects: str = ""


def in_secrets(certificates: Certificates) -> Credentials:
    """In the gateway's namespace, with the keys of either kind that Secrets may have."""
    server, rsa = certificates.server, certificates.rsa
    objects = (
        _secret("server", {"tls.crt": pem(server), "tls.key": server.private_key_pem.bytes().decode()}),
        _secret("rsa", {"cert": pem(rsa), "key": rsa.private_key_pem.bytes().decode()}),
        _secret(
            "clients-cacert",
            {"cacert": certificates.clients.cert_pem.bytes().decode(), "ca.crl": certificates.crl.decode()},
        ),
    )
    server_name = "credentialName: server"
    verifying = f"{server_name}, caCertCredentialName: clients"
    return Credentials(server_name, verifying, "credentialNames: [rsa, server]", "".join(objects))


def in_files(certificates: Certificates, directory: Path) -> Credentials:
    for name, certificate in (("server", certificates.server), ("rsa", certificates.rsa)):
        (directory / f"{name}.pem").write_text(pem(certificate))
        (directory / f"{name}.key").write_bytes(certificate.private_key_pem.bytes())
    (directory / "clients.pem").write_bytes(certificates.clients.cert_pem.bytes())
    (directory / "clients.crl").write_bytes(certificates.crl)
    server, rsa = (
        f"serverCertificate: {directory}/{name}.pem, privateKey: {directory}/{name}.key" for name in ("server", "rsa")
    )
    verifying = f"{server}, caCertificates: {directory}/clients.pem, caCrl: {directory}/clients.crl"
    return Credentials(server, verifying, f"tlsCertificates: [{{{rsa}}}, {{{server}}}]")


def _secret(name: str, data: dict[str, str]) -> str:
    return SECRET.format(name=name, data=json.dumps(data))


@pytest.fixture(scope="module", params=["secrets", "files", "envoy"])
def ports(request, module_mesh, certificates: Certificates, apps: dict[str, int], tmp_path_factory) -> Iterator[Ports]:
    """Of a gateway: Gateway's port -> the one that is open. A real Envoy has no secrets, as it comes in plaintext."""
    directory = tmp_path_factory.mktemp("files")
    credentials = in_secrets(certificates) if request.param == "secrets" else in_files(certificates, directory)
    rules = RULES.format(
        **apps,
        pin=_sha256(certificates.admin),
        **credentials._asdict(),
    )
    module_mesh.apply(rules)
    if request.param == "envoy":
        yield from _envoys_ports(module_mesh, request.getfixturevalue("envoy"), directory)
        return
    gateway = module_mesh.gateway(*(flag for port in PORTS for flag in ("--port-map", f"{port}=0")))
    opened = (gateway.wait_line(rf"^listening on \S+:(\d+) \(Gateway port {port}\)") for port in PORTS)
    yield dict(zip(PORTS, (int(found.group(1)) for found in opened), strict=True))
    gateway.stop()


def _envoys_ports(mesh, binary: str, directory: Path) -> Iterator[Ports]:
    metadata = {"NAME": "gw", "NAMESPACE": "istio-system", "LABELS": {"istio": "ingressgateway"}}
    metadata["PORT_MAP"] = {str(port): 0 for port in PORTS}
    node = {"id": "router~127.0.0.1~gw.istio-system~cluster.local", "cluster": "envoy", "metadata": metadata}
    envoy = Envoy(binary, directory, node, int(mesh.addresses["listen"].rpartition(":")[2]), mesh.http_get)
    try:
        mesh.wait_until(lambda: len(envoy.listeners()) == len(PORTS), "Envoy's listeners")
        yield {port: envoy.listeners()[f"0.0.0.0_0_{port}"] for port in PORTS}
    finally:
        envoy.stop()


def _sha256(certificate: trustme.LeafCert) -> str:
    return sha256(ssl.PEM_cert_to_DER_cert(pem(certificate))).hexdigest()


@pytest.fixture
def connect(ports: Ports, certificates: Certificates) -> Iterator[Connect]:
    """A TLS connection to a server name, perhaps with a client certificate."""
    opened: list[ssl.SSLSocket] = []

    def make(name: str, client: trustme.LeafCert | None = None, **settings: object) -> ssl.SSLSocket:
        context = ssl.create_default_context(cadata=certificates.ca.cert_pem.bytes().decode())
        for key, value in settings.items():
            setattr(context, key, value) if key != "ciphers" else context.set_ciphers(str(value))
        if client is not None:
            client.configure_cert(context)
        plain = socket.create_connection(("127.0.0.1", ports[443]), timeout=10)
        try:
            opened.append(context.wrap_socket(plain, server_hostname=name))
        except BaseException:
            plain.close()
            raise
        return opened[-1]

    yield make
    for connection in opened:
        connection.close()


def get(connection: ssl.SSLSocket, host: str, *headers: str) -> bytes:
    """The whole answer."""
    lines = ("GET / HTTP/1.1", f"host: {host}", "connection: close", *headers)
    connection.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode())
    answer = b""
    while data := connection.recv(65536):
        answer += data
    return answer


def is_refused(connect: Connect, name: str, client: trustme.LeafCert | None = None) -> bool:
    """TLS 1.3 tells a client only when it reads that its certificate is not taken."""
    try:
        return get(connect(name, client), name) == b""
    except (ssl.SSLError, ConnectionError):
        return True


def test_mutual_tls_lets_in_who_has_a_certificate_of_the_right_authority_only(connect, certificates) -> None:
    answer = get(connect("mutual.example.com", certificates.client), "mutual.example.com")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert is_refused(connect, "mutual.example.com")
    assert is_refused(connect, "mutual.example.com", certificates.stranger)


def test_the_application_learns_the_clients_certificate_and_no_claim_of_the_client(connect, certificates) -> None:
    connection = connect("mutual.example.com", certificates.client)
    answer = get(connection, "mutual.example.com", "x-forwarded-client-cert: Hash=claimed").partition(b"\r\n\r\n")[2]
    told = json.loads(answer)["headers"]["x-forwarded-client-cert"]
    certificate = quote(pem(certificates.client), safe="")
    assert told.startswith(f'Hash={_sha256(certificates.client)};Cert="{certificate}";Subject="')
    assert told.endswith(";URI=;DNS=user.client")


def test_a_client_must_have_one_of_the_names(connect, certificates) -> None:
    answer = get(connect("named.example.com", certificates.admin), "named.example.com")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert is_refused(connect, "named.example.com", certificates.client)


def test_a_client_must_have_a_pinned_certificate(connect, certificates) -> None:
    answer = get(connect("pinned.example.com", certificates.admin), "pinned.example.com")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert is_refused(connect, "pinned.example.com", certificates.client)


def test_a_client_whose_certificate_is_revoked_is_refused(connect, certificates) -> None:
    assert is_refused(connect, "mutual.example.com", certificates.revoked)
    assert is_refused(connect, "optional.example.com", certificates.revoked)


def test_optional_mutual_tls_takes_none_or_a_good_certificate_and_no_bad_one(connect, certificates) -> None:
    for client in (None, certificates.client):
        answer = get(connect("optional.example.com", client), "optional.example.com")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert is_refused(connect, "optional.example.com", certificates.stranger)


@pytest.mark.parametrize("kind", ["RSA", "ECDSA"])
def test_a_server_with_certificates_of_two_kinds_shows_the_one_that_the_client_can_verify(connect, kind) -> None:
    limit = {"maximum_version": ssl.TLSVersion.TLSv1_2, "ciphers": f"ECDHE-{kind}-AES128-GCM-SHA256"}
    connection = connect("several.example.com", **limit)
    assert connection.cipher()[0] == f"ECDHE-{kind}-AES128-GCM-SHA256"


def test_the_oldest_version_is_kept(connect) -> None:
    assert connect("modern.example.com").version() == "TLSv1.3"
    with pytest.raises(ssl.SSLError):
        connect("modern.example.com", maximum_version=ssl.TLSVersion.TLSv1_2)


def test_cipher_suites_are_those_of_the_gateway_without_the_unknown_ones(connect) -> None:
    assert connect("ciphers.example.com").cipher()[0] == "ECDHE-ECDSA-AES256-GCM-SHA384"
    with pytest.raises(ssl.SSLError):
        connect("ciphers.example.com", ciphers="ECDHE-ECDSA-AES128-GCM-SHA256")


def test_tls_that_ends_at_a_tls_server_goes_on_as_tcp(connect) -> None:
    connection = connect("echo.example.com")
    connection.sendall(b"hello")
    assert connection.recv(100) == b"echo hello"


def test_tls_is_passed_through_to_the_service_of_its_server_name(connect, ports) -> None:
    assert connect("secure.through.example.com").recv(100) == b"secure app"
    hello = _client_hello("echo.through.example.com")
    with socket.create_connection(("127.0.0.1", ports[443]), timeout=10) as plain:
        plain.sendall(hello)
        assert plain.recv(5) == b"echo "  # what comes is the client's own hello: nobody ended the TLS
        assert plain.recv(len(hello), socket.MSG_WAITALL) == hello


def _client_hello(name: str) -> bytes:
    outgoing = ssl.MemoryBIO()
    context = ssl.create_default_context()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


def test_a_server_name_that_no_server_has_is_refused(connect) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        connect("other.through.example.com")


def test_tcp_is_forwarded(ports) -> None:
    with socket.create_connection(("127.0.0.1", ports[7]), timeout=10) as plain:
        plain.sendall(b"hello")
        assert plain.recv(100) == b"echo hello"


def test_plain_http_is_sent_to_https(ports) -> None:
    with socket.create_connection(("127.0.0.1", ports[80]), timeout=10) as plain:
        plain.sendall(b"GET /a?b=c HTTP/1.1\r\nhost: mutual.example.com\r\nconnection: close\r\n\r\n")
        answer = plain.recv(65536)
    assert answer.startswith(b"HTTP/1.1 301 ")
    assert b"location: https://mutual.example.com/a?b=c\r\n" in answer
