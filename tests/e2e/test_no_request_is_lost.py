"""A load goes on, gateway -> web's sidecar -> web -> web's sidecar -> payment's, while the mesh changes under it.

Nothing is lost means: every request is answered with 200 and no connection is closed to a client.
"""

import base64
import contextlib
import json
import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

# What is pushed with each round differs in routes, clusters, listeners and filter chains.
ROUND = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: shop}}
spec:
  selector: {{istio: ingressgateway}}
  servers:
  - {{port: {{number: 80, name: http, protocol: HTTP}}, hosts: {hosts}}}
  - {{port: {{number: {second_port}, name: second, protocol: HTTP}}, hosts: ["*"]}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: web}}
spec:
  hosts: ["*"]
  gateways: [shop]
  http:
  - timeout: {timeout}s
    route: [{{destination: {{host: web}}}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: payment}}
spec:
  hosts: [payment]
  http:
  - name: round-{number}
    headers: {{response: {{set: {{x-push: "{number}"}}}}}}
    retries: {{attempts: {attempts}, retryOn: 5xx}}
    route:
    - {{destination: {{host: payment, subset: v1}}, weight: {weight}}}
    - {{destination: {{host: payment, subset: v2}}, weight: {other_weight}}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: payment}}
spec:
  host: payment
  trafficPolicy:
    loadBalancer: {{simple: {balancer}}}
    connectionPool: {{tcp: {{connectTimeout: {timeout}s}}, http: {{http1MaxPendingRequests: {pending}}}}}
    outlierDetection: {{consecutive5xxErrors: {attempts}}}
  subsets:
  - {{name: v1, labels: {{version: v1}}}}
  - {{name: v2, labels: {{version: v2}}}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: web}}
spec:
  host: web
  trafficPolicy: {{loadBalancer: {{simple: {balancer}}}}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: default}}
spec: {{mtls: {{mode: {mode}}}}}
"""

HTTPS = """
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
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: web}}
spec:
  hosts: [shop.example.com]
  gateways: [web]
  http: [{{route: [{{destination: {{host: web}}}}]}}]
---
apiVersion: v1
kind: Secret
metadata: {{name: shop, namespace: istio-system}}
data: {{tls.crt: {certificate}, tls.key: {key}}}
"""

EITHER = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: payment}
spec:
  hosts: [payment]
  http: [{route: [{destination: {host: payment}}]}]
"""

BALANCERS = ("ROUND_ROBIN", "LEAST_REQUEST", "RANDOM")
MODES = ("PERMISSIVE", "STRICT")


def round_of(number: int) -> str:
    weight = number * 13 % 101
    return ROUND.format(
        number=number,
        hosts='["*"]' if number % 2 else '["*", shop.example.com]',
        second_port=81 + number % 2,
        timeout=5 + number % 3,
        attempts=1 + number % 4,
        weight=weight,
        other_weight=100 - weight,
        balancer=BALANCERS[number % 3],
        pending=1000 + number,
        mode=MODES[number % 2],
    )


class Shop:
    """The processes and applications of the path, and the URL of its beginning."""

    def __init__(self, mesh, environment: dict[str, str] | None = None) -> None:
        self.control = mesh.control()
        self.apps = {name: mesh.http_app(name) for name in ("web", "v1", "v2")}
        options = {"ready": False, "environment": environment}
        self.payments = {
            name: mesh.proxy("payment", self.apps[name].port, "--version", name, **options) for name in ("v1", "v2")
        }
        self.web = mesh.proxy("web", self.apps["web"].port, **options)
        ports = ("--port-map", "80=0", "--port-map", "81=0", "--port-map", "82=0")
        self.gateway = mesh.gateway(*ports, **options)
        for proxy in self.proxies:
            proxy.wait_line("is ready")
        self.apps["web"].outbound = self.web.ports["outbound"]
        mesh.apply(round_of(0))
        port = self.gateway.wait_line(r"^listening on \S+:(\d+) \(Gateway port 80\)").group(1)
        self.url = f"http://127.0.0.1:{port}/via/payment/pay"
        mesh.wait_until(lambda: mesh.http_get(self.url).status == 200, "the whole path")

    @property
    def proxies(self) -> tuple:
        return (self.gateway, self.web, *self.payments.values())

    def assert_nothing_lost(self, load) -> None:
        load.assert_nothing_lost()
        assert self.apps["web"].lost == 0, "answers after which web's sidecar closed"


def push_of(load) -> str:
    return load.last.headers.get("x-push", "")


def are_in_step(mesh, number: int) -> bool:
    """So many proxies are connected, and have what they are to have."""
    proxies = json.loads(mesh.run("proxy-status", "-o", "json").stdout)
    statuses = {found["status"] for proxy in proxies for found in proxy["types"].values()}
    return len(proxies) == number and "STALE" not in statuses and "REJECTED" not in statuses


def renewals_of(proxy) -> int:
    return proxy.read_admin("/certs").json["certificates"][0].get("renewals", 0)


@contextlib.contextmanager
def mtls_connection(certificate: Path, root: Path, address: str) -> Iterator[ssl.SSLSocket]:
    """As a peer's sidecar makes one, with the certificate that lies on its disk."""
    context = ssl.create_default_context(cafile=root)
    context.check_hostname = False
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["istio"])
    host, _, port = address.rpartition(":")
    with (
        socket.create_connection((host, int(port)), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="outbound_.80_._.payment.default.svc.cluster.local") as connection,
    ):
        yield connection


def status_of_a_get(connection: ssl.SSLSocket) -> bytes:
    connection.sendall(b"GET / HTTP/1.1\r\nhost: shop.example.com\r\n\r\n")
    head, body = b"", b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(65536)
    head, _, body = head.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return head.split(b" ", 2)[1]


def open_echo(web) -> socket.socket:
    """A connection through `--upstream` to a TCP service."""
    host, _, port = web.ports["upstreams"][0]["listen"].partition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def echo(connection: socket.socket, text: bytes) -> bytes:
    connection.sendall(text)
    return connection.recv(100)


def test_twenty_pushes_of_every_kind(mesh) -> None:
    shop = Shop(mesh)
    with mesh.load(shop.url, callers=3) as load:
        for number in range(1, 24):
            mesh.apply(round_of(number))
            mesh.wait_until(lambda number=number: push_of(load) == str(number), f"round {number} in the answers")
        load.wait_answers(50)
    shop.assert_nothing_lost(load)


@pytest.mark.timeout(90)
def test_renewals_of_every_certificate(mesh) -> None:
    shop = Shop(mesh, {"SECRET_TTL": "6s"})
    [directory] = (mesh.state_dir / "proxy" / "default").glob("web-v1-*")
    certificate, root, payment = directory / "certificate.pem", directory / "root.pem", shop.payments["v1"]
    inbound = payment.ports["inbound"]
    with mtls_connection(certificate, root, inbound) as early, mesh.load(shop.url) as load:
        before = {proxy: renewals_of(proxy) for proxy in shop.proxies}
        mesh.wait_until(lambda: all(renewals_of(p) >= before[p] + 2 for p in shop.proxies), "two renewals of each", 30)
        assert status_of_a_get(early) == b"200"
        with mtls_connection(certificate, root, inbound) as late:
            assert status_of_a_get(late) == b"200"
            serials = {connection.getpeercert()["serialNumber"] for connection in (early, late)}
        load.wait_answers(50)
    assert len(serials) == 2, "the new connection was shown the old certificate"
    assert not any("no new certificate" in proxy.output for proxy in shop.proxies)
    shop.assert_nothing_lost(load)


def test_a_new_certificate_of_the_gateway(mesh) -> None:
    mesh.control()
    gateway = mesh.gateway("--port-map", "443=0", ready=False)
    mesh.proxy("web", mesh.http_app("web").port)
    ca = trustme.CA()
    trust = ssl.create_default_context(cadata=ca.cert_pem.bytes().decode())

    def apply_new() -> None:
        issued = ca.issue_cert("shop.example.com")
        pems = [base64.b64encode(pem.bytes()).decode() for pem in (issued.cert_chain_pems[0], issued.private_key_pem)]
        mesh.apply(HTTPS.format(certificate=pems[0], key=pems[1]))

    def connect() -> ssl.SSLSocket:
        return trust.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="shop.example.com")

    def serial() -> str:
        with connect() as connection:
            return connection.getpeercert()["serialNumber"]

    apply_new()  # and wait, as the objects of the file come one after the other
    port = int(gateway.wait_line(r"^listening on \S+:(\d+) \(Gateway port 443\)").group(1))
    mesh.wait_until(lambda: "kubernetes://shop" in gateway.read_admin("/config_dump").body.decode(), "the Secret")
    with connect() as early:
        assert status_of_a_get(early) == b"200"
        apply_new()
        mesh.wait_until(lambda: serial() != early.getpeercert()["serialNumber"], "the new certificate")
        assert status_of_a_get(early) == b"200"


def test_stops_and_restarts_of_the_control_plane(mesh) -> None:
    shop = Shop(mesh)
    db = mesh.tcp_app(b"db:")
    mesh.proxy("db", db.port, "--app-protocol", "tcp")
    caller = mesh.proxy("caller", 0, "--upstream", f"0=db:{db.port}")
    with open_echo(caller) as early, mesh.load(shop.url) as load:
        for number, end in enumerate((signal.SIGTERM, signal.SIGKILL), 1):
            shop.control.stop(end)
            load.wait_answers(200)
            with open_echo(caller) as meanwhile:
                assert echo(meanwhile, b"meanwhile") == b"db:meanwhile"
            assert mesh.http_get(shop.url).status == 200
            shop.control = mesh.control()
            mesh.apply(round_of(number))
            mesh.wait_until(lambda number=number: push_of(load) == str(number), "a push of the new control plane", 30)
            mesh.wait_until(lambda: are_in_step(mesh, 6), "all proxies to be back", 30)
            load.wait_answers(50)
        assert echo(early, b"after") == b"db:after"
    shop.assert_nothing_lost(load)


def test_a_stop_and_start_of_one_of_two_instances_and_a_kill_of_the_other(mesh) -> None:
    shop = Shop(mesh)
    mesh.apply(EITHER)
    with mesh.load(shop.url, callers=3) as load:
        load.wait_answers(50)
        answered = shop.apps["v2"].requests
        assert shop.payments["v1"].stop() == 0
        mesh.wait_until(lambda: shop.apps["v2"].requests > answered + 200, "answers of the other instance")
        mesh.proxy("payment", shop.apps["v1"].port, "--version", "v1")
        mesh.wait_until(lambda before=shop.apps["v1"].requests: shop.apps["v1"].requests > before + 100, "its answers")
    shop.assert_nothing_lost(load)
    killed = shop.payments["v2"].ports["inbound"]
    shop.payments["v2"].stop(signal.SIGKILL)
    with mesh.load(shop.url) as load:  # what is refused is tried elsewhere, before anybody knows of the death
        for proxy in (shop.web, shop.gateway):
            mesh.wait_until(lambda proxy=proxy: killed not in proxy.clusters(), "its end", 10)
    shop.assert_nothing_lost(load)


def test_the_stop_of_a_gateway_whose_clients_keep_their_connections(mesh) -> None:
    shop = Shop(mesh)
    with mesh.load(shop.url, callers=8, stays=False) as load:
        load.wait_answers(100)
        assert shop.gateway.stop() == 0
    assert [end for end in load.lost if not end.startswith("closed after")] == []
    assert len(load.lost) == 8
    assert set(load.statuses) == {200}
