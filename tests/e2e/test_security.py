"""Who may join, who is believed, what is refused, and what nobody gets to see."""

import base64
import contextlib
import re
import socket
import ssl
import stat
from pathlib import Path

import jwt
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec

from pymesh.control.ca.authority import open_authority
from pymesh.control.ca.join_token_file import open_token_authority
from pymesh.state_dir import StateDir

# An endpoint that a user declares, with the service account that it is said to have.
SHOP = """
apiVersion: v1
kind: Service
metadata: {{name: shop}}
spec:
  selector: {{app: shop}}
  ports: [{{name: http, port: 80}}]
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {{name: shop-1}}
spec:
  address: 127.0.0.1
  ports: {{http: {port}}}
  labels: {{app: shop, security.istio.io/tlsMode: istio}}
  serviceAccount: {account}
"""

SHOP_CLUSTER = "outbound|80||shop.default.svc.cluster.local"

MODE = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: default, namespace: istio-system}}
spec: {{mtls: {{mode: {mode}}}}}
"""

HTTPS_GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: web}}
spec:
  selector: {{istio: ingressgateway}}
  servers:
  - port: {{number: 443, name: https, protocol: HTTPS}}
    hosts: [shop.example.com]
    tls: {{mode: SIMPLE, credentialName: shop}}
---
apiVersion: v1
kind: Secret
metadata: {{name: shop, namespace: istio-system}}
data: {{tls.crt: {certificate}, tls.key: {key}}}
"""

ANY_PORTS = ("--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0", "--monitoring", "127.0.0.1:0")
PLAIN_GET = b"GET / HTTP/1.1\r\nhost: web\r\nx-forwarded-client-cert: By=me\r\nconnection: close\r\n\r\n"


def token_authority(mesh):
    state_dir = StateDir(mesh.state_dir)
    return open_token_authority(open_authority(state_dir.ca), state_dir.ca)


def forged(token: str) -> str:
    """The same claims, signed by somebody else."""
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), algorithm="ES256")


def unsigned(token: str) -> str:
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode(claims, None, algorithm="none")


def certificate_of(state_dir: Path, service: str) -> Path:
    """The certificate, with its key, that a sidecar of the service keeps."""
    [file] = (state_dir / "proxy" / "default").glob(f"{service}-v1*/certificate.pem")
    return file


def context_of(certificate: Path | None = None, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """A client that trusts everybody: what is tested is the server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["istio"])
    if certificate is not None:
        context.load_cert_chain(certificate)
    if version is not None:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # or OpenSSL offers no TLS 1.1
        context.minimum_version = context.maximum_version = version
    return context


def tls_get(address: str, context: ssl.SSLContext) -> bytes:
    """What is answered; nothing where the server refuses the client, in the handshake or (TLS 1.3) right after it."""
    host, _, port = address.rpartition(":")
    received = b""
    with (
        contextlib.suppress(ssl.SSLError, ConnectionError),
        socket.create_connection((host, int(port)), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="web") as connection,
    ):
        connection.sendall(PLAIN_GET)
        while data := connection.recv(65536):
            received += data
    return received


def test_a_token_is_good_for_the_identity_that_it_names_and_only_until_it_ends(mesh) -> None:
    control = mesh.control()
    tokens = token_authority(mesh)
    good = tokens.mint("default", "web")
    port = mesh.http_app("web").port
    refused = {
        tokens.mint(
            "other", "web"
        ): r"403 the proof of identity is for spiffe://\S+/ns/other/sa/web, not for \S+/sa/web",
        tokens.mint("default", "db"): r"403 the proof of identity is for \S+/sa/db, not for \S+/sa/web",
        tokens.mint("default", "web", ttl=-1): "401 the join token has expired",
        forged(good): "401 the join token is not valid: Signature verification failed",
        unsigned(good): "401 the join token is not valid",
    }
    flags = ("--service-account", "web", "--token")
    started = {token: mesh.proxy("web", port, *flags, token, ready=False) for token in (*refused, good)}
    started[good].wait_line("is ready")
    for token, reason in refused.items():
        proxy = started[token]
        url = re.escape(mesh.addresses["tls"])
        proxy.wait_line(rf"no new certificate, next try in \S+ s: control plane at {url}: {reason}")
        assert proxy.read_admin("/ready").status == 503
        assert proxy.read_admin("/certs").json["certificates"][0]["state"] == "missing"
    assert control.output.count("issued a certificate to") == 1
    assert mesh.run("get", "workloadentries").stdout.count("web-v1-") == 1


def test_a_proxy_does_not_join_a_control_plane_that_its_token_is_not_for(mesh, tmp_path: Path) -> None:
    mesh.control()
    mine = token_authority(mesh).mint("default", "default")
    other = tmp_path / "other"
    stranger = mesh.control("--state-dir", str(other), *ANY_PORTS)
    url = stranger.wait_line(r"tls (https://\S+)").group(1)
    lost = mesh.proxy("web", 0, "--token", mine, "--control", url, ready=False)
    lost.wait_line(rf"control plane at {url}: it is not the control plane that the join token is for")
    known = mesh.proxy("web", 0)
    known.stop()
    known = mesh.proxy("web", 0, "--control", url, ready=False)  # has a certificate, and the root, of its own mesh
    known.wait_line(rf"control plane at {url} (unreachable|refused): ")
    assert "issued a certificate" not in stranger.output


def test_a_certificate_of_another_mesh_is_refused_by_both_sides(mesh, tmp_path: Path) -> None:
    mesh.control()
    web = mesh.proxy("web", mesh.http_app("web").port, "--access-log", "-")
    other = tmp_path / "other"
    mesh.control("--state-dir", str(other), *ANY_PORTS)
    stranger = mesh.proxy("payment", mesh.http_app("stranger").port, "--state-dir", str(other))
    certificate = certificate_of(mesh.state_dir, "web")
    foreign = certificate_of(other, "payment")

    assert tls_get(web.ports["inbound"], context_of(certificate)).startswith(b"HTTP/1.1 200 ")
    assert tls_get(web.ports["inbound"], context_of(foreign)) == b""

    port = stranger.ports["inbound"].rpartition(":")[2]
    mesh.apply(SHOP.format(port=port, account="default"))
    mesh.wait_until(lambda: f"{SHOP_CLUSTER}::127.0.0.1:{port}::" in web.clusters(), "the endpoint")
    assert web.get("http://shop/").status == 503
    web.wait_line(r'"GET / HTTP/1.1" 503 (UF|UF,URX|URX,UF) .*CERTIFICATE_VERIFY_FAILED')


def test_an_endpoint_is_believed_only_with_the_service_account_that_was_meant(mesh) -> None:
    mesh.control()
    app = mesh.http_app("intruder")
    intruder = mesh.proxy("intruder", app.port, "--service-account", "intruder")
    web = mesh.proxy("web", 0, "--access-log", "-")
    port = intruder.ports["inbound"].rpartition(":")[2]
    mesh.apply(SHOP.format(port=port, account="shop"))
    # Until cluster, endpoint and route are there, it is 503 for other reasons.
    refused = re.compile(r'"GET / HTTP/1.1" 503 (UF|UF,URX|URX,UF) ')
    mesh.wait_until(lambda: web.get("http://shop/").status == 503 and refused.search(web.output), "the refusal")
    assert app.requests == 0
    mesh.apply(SHOP.format(port=port, account="intruder"))
    mesh.wait_until(lambda: web.get("http://shop/").status == 200, "the right service account")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1")
def test_permissive_takes_plaintext_and_mtls_on_one_port_and_strict_only_certificates_of_the_mesh(mesh) -> None:
    mesh.control()
    web = mesh.proxy("web", mesh.http_app("web").port)
    inbound = web.ports["inbound"]
    certificate = certificate_of(mesh.state_dir, "web")
    mesh.apply(MODE.format(mode="PERMISSIVE"))
    plain = mesh.exchange(inbound, PLAIN_GET)
    assert plain.startswith(b"HTTP/1.1 200 ")
    assert b"x-forwarded-client-cert" not in plain, "the application is told of a certificate that nobody has shown"
    assert tls_get(inbound, context_of(certificate)).startswith(b"HTTP/1.1 200 ")
    assert tls_get(inbound, context_of()) == b""

    mesh.apply(MODE.format(mode="STRICT"))
    mesh.wait_until(lambda: mesh.exchange(inbound, PLAIN_GET) == b"", "plaintext to be refused")
    answer = tls_get(inbound, context_of(certificate))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"spiffe://cluster.local/ns/default/sa/default" in answer
    assert tls_get(inbound, context_of()) == b""
    assert tls_get(inbound, context_of(certificate, ssl.TLSVersion.TLSv1_2)).startswith(b"HTTP/1.1 200 ")
    assert tls_get(inbound, context_of(certificate, ssl.TLSVersion.TLSv1_1)) == b""


def test_files_and_directories_of_the_mesh_are_for_their_owner_only(mesh) -> None:
    mesh.control()
    mesh.gateway()
    mesh.proxy("web", mesh.http_app("web").port).stop()
    found = [path for part in ("control", "proxy") for path in (mesh.state_dir / part).rglob("*")]
    found += [mesh.state_dir / "control", mesh.state_dir / "proxy"]
    wrong = {
        str(path.relative_to(mesh.state_dir)): oct(stat.S_IMODE(path.stat().st_mode))
        for path in found
        if stat.S_IMODE(path.stat().st_mode) != (0o700 if path.is_dir() else 0o600)
    }
    assert wrong == {}
    assert {"ca-key.pem", "join-token", "state.db", "certificate.pem", "config.json"} <= {path.name for path in found}


def test_no_page_and_no_log_line_shows_a_key_or_a_token(mesh) -> None:
    debug = ("--log-level", "debug")
    control = mesh.control(*debug)
    issued = trustme.CA().issue_cert("shop.example.com")
    pem = issued.private_key_pem.bytes()
    certificate = base64.b64encode(issued.cert_chain_pems[0].bytes()).decode()
    mesh.apply(HTTPS_GATEWAY.format(certificate=certificate, key=base64.b64encode(pem).decode()))
    web = mesh.proxy("web", mesh.http_app("web").port, *debug)
    gateway = mesh.gateway("--port-map", "443=0", *debug)
    gateway.wait_line("Gateway port 443")

    shown = [process.output for process in (control, web, gateway)]
    for proxy in (web, gateway):
        pages = ("/config_dump", "/server_info", "/certs", "/clusters", "/listeners", "/ports", "/stats/prometheus")
        shown += [proxy.read_admin(page).body.decode() for page in pages]
    names = [f"{proxy.ports['name']}.{namespace}" for proxy, namespace in ((web, "default"), (gateway, "istio-system"))]
    paths = ["/debug/syncz", "/debug/registryz", "/debug/endpointz", "/metrics"]
    paths += [f"/debug/config_dump?proxyID={name}" for name in names]
    answers = [mesh.http_get(mesh.addresses[place] + path) for place in ("listen", "monitoring") for path in paths]
    assert [answer.status for answer in answers] == [200] * len(answers)
    shown += [answer.body.decode() for answer in answers]

    own = certificate_of(mesh.state_dir, "web").read_text()
    token = (mesh.state_dir / "control" / "join-token").read_text().strip()
    key_lines = [line for text in (pem.decode(), own) for line in text.partition("-----END")[0].splitlines()[1:]]
    for secret in [*key_lines, token, base64.b64encode(pem).decode(), "PRIVATE KEY"]:
        assert not any(secret in text for text in shown), secret
    assert "kubernetes://shop" in shown[3 + 7], "the gateway's page has lost the whole secret"


def test_workloads_are_of_the_trust_domain_that_the_mesh_config_names(mesh, tmp_path) -> None:
    (tmp_path / "mesh.yaml").write_text("trustDomain: example.org\n")
    mesh.control("--mesh-config", str(tmp_path / "mesh.yaml"))
    mesh.proxy("web", mesh.http_app("web").port)
    client = mesh.proxy("client", 0)
    mesh.wait_until(lambda: client.get("http://web/").status == 200, "the route")
    told = client.get("http://web/").json["headers"]["x-forwarded-client-cert"]
    assert told.startswith("By=spiffe://example.org/ns/default/sa/default;")
    assert "URI=spiffe://example.org/ns/default/sa/default" in told
    mesh.wait_until(
        lambda: (
            'source_principal="spiffe://example.org/ns/default/sa/default"'
            in client.read_admin("/stats/prometheus").body.decode()
        ),
        "the principal in metrics",
    )
