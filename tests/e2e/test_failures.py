"""Bad input, and things that are not there: one clear line or one clear answer, and everything else goes on."""

import base64
import contextlib
import re
import signal
import socket
import ssl
import time

import pytest
import trustme

GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: web}}
spec:
  selector: {{istio: ingressgateway}}
  servers:
  - {{port: {{number: 80, name: http, protocol: HTTP}}, hosts: ["*"]}}
  - port: {{number: 443, name: https, protocol: HTTPS}}
    hosts: ["*"]
    tls: {{mode: SIMPLE, credentialName: web}}
---
apiVersion: v1
kind: Secret
metadata: {{name: web, namespace: istio-system}}
data: {{tls.crt: {certificate}, tls.key: {key}}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: web}}
spec:
  hosts: ["*"]
  gateways: [web]
  http: [{{route: [{{destination: {{host: web}}}}]}}]
"""

MODE = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: default, namespace: istio-system}}
spec: {{mtls: {{mode: {mode}}}}}
"""

MALFORMED = {
    "no HTTP": b"\x00\x01\x02\x03 garbage\r\n\r\n",
    "a request line of one word": b"GET\r\n\r\n",
    "a header without a colon": b"GET / HTTP/1.1\r\nhost: web\r\nnonsense\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
    "a length and chunks": b"POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 1\r\n"
    b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "a NUL in a value": b"GET / HTTP/1.1\r\nhost: web\r\nx-a: a\x00b\r\n\r\n",
}
OVERSIZED = {
    "80 KB of headers": b"".join(b"x-%d: %s\r\n" % (number, b"v" * 1000) for number in range(80)),
    "5000 headers": b"".join(b"x-%d: v\r\n" % number for number in range(5000)),
}
RETRIED = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web]
  http:
  - retries: {attempts: 3, retryOn: "connect-failure,reset"}
    route: [{destination: {host: web}}]
"""
ENOUGH = 200  # connections that say nothing


class Edge:
    """A sidecar and a gateway in front of one application, and a caller behind a sidecar of its own."""

    def __init__(self, mesh) -> None:
        self.mesh = mesh
        self.control = mesh.control()
        app = mesh.http_app("web")
        issued = trustme.CA().issue_cert("shop.example.com")
        certificate, key = (
            base64.b64encode(pem.bytes()).decode() for pem in (issued.cert_chain_pems[0], issued.private_key_pem)
        )
        self.gateway = mesh.gateway("--port-map", "80=0", "--port-map", "443=0", ready=False)
        self.web = mesh.proxy("web", app.port)
        self.caller = mesh.proxy("caller", 0)
        mesh.apply(GATEWAY.format(certificate=certificate, key=key))
        self.http, self.https = (self._gateway_address(port) for port in (80, 443))

    @property
    def inbound(self) -> str:
        return self.web.ports["inbound"]

    def set_mode(self, mode: str) -> None:
        self.mesh.apply(MODE.format(mode=mode))
        expected = b"" if mode == "STRICT" else b"HTTP/1.1 200 "
        get = b"GET / HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n"
        self.mesh.wait_until(lambda: self.mesh.exchange(self.inbound, get)[:13] == expected, mode)

    def assert_works(self) -> None:
        assert self.caller.get("http://web/").status == 200
        assert self.mesh.http_get(f"http://{self.http}/").status == 200

    def _gateway_address(self, port: int) -> str:
        found = self.gateway.wait_line(rf"^listening on \S+:(\d+) \(Gateway port {port}\)")
        return f"127.0.0.1:{found.group(1)}"


@pytest.fixture(scope="module")
def edge(module_mesh) -> Edge:
    return Edge(module_mesh)


def connect(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def client_hello() -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["istio"])
    output = ssl.MemoryBIO()
    connection = context.wrap_bio(ssl.MemoryBIO(), output, server_hostname="web")
    with contextlib.suppress(ssl.SSLWantReadError):
        connection.do_handshake()
    return output.read()


def retry_delays(process) -> list[str]:
    return re.findall(r"(?:retrying|next try) in ([\d.]+) s", process.output)


# an instance is killed


def test_an_instance_that_was_killed_gets_nothing_before_its_application_is_back(mesh) -> None:
    """Started again it has the port of before, and for its peers the lease of before is still good."""
    mesh.control()
    survivor, killed = mesh.http_app("survivor"), mesh.http_app("killed")
    mesh.apply(RETRIED)
    mesh.proxy("web", survivor.port, "--version", "v1")
    second = mesh.proxy("web", killed.port, "--version", "v2")
    caller = mesh.proxy("caller", 0)
    with mesh.load("http://web/", via=caller.ports["outbound"], callers=8) as load:
        second.stop(signal.SIGKILL)
        killed.close()
        for _ in range(3):
            second = mesh.proxy("web", killed.port, "--version", "v2", ready=False)
            second.wait_line("registered web-v2")
            load.wait_answers(50)
            second.stop(signal.SIGKILL)
    assert set(load.statuses) == {200}, "but for the responses that broke off with the first one killed"


# control is away


def test_who_starts_without_control_says_so_once_a_back_off(mesh) -> None:
    control = mesh.control()
    app = mesh.http_app("web")
    mesh.proxy("web", app.port).stop()
    control.stop()
    known = mesh.proxy("web", app.port)
    new = mesh.proxy("new", app.port, ready=False)  # the join token lies in the state dir
    for proxy in (known, new):
        mesh.wait_until(lambda proxy=proxy: len(retry_delays(proxy)) >= 3, "three attempts", 15)
        url = mesh.addresses["tls"]
        complaints = [line for line in proxy.lines if url in line]
        assert len(complaints) == len(retry_delays(proxy))
        assert all("Connection refused" in line for line in complaints)
    mesh.control()
    new.wait_line("is ready")
    mesh.wait_until(lambda: known.get("http://new/").status == 200, "the new one at the known one", 15)


@pytest.mark.timeout(20)
def test_control_ends_in_two_seconds_though_polls_and_watches_are_held(mesh) -> None:
    edge = Edge(mesh)
    path = "/apis/networking.istio.io/v1/namespaces/default/virtualservices?watch=true"
    with connect(mesh.addresses["listen"].removeprefix("http://")) as watch:
        watch.sendall(b"GET %s HTTP/1.1\r\nhost: control\r\n\r\n" % path.encode())
        assert watch.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")
        began = time.monotonic()
        assert edge.control.stop() == 0
    assert time.monotonic() - began < 2.0
    edge.assert_works()


# what a client gets wrong


def test_malformed_http_is_400_and_an_oversized_head_431_everywhere_and_the_next_request_works(edge) -> None:
    edge.set_mode("PERMISSIVE")
    listeners = {"inbound": edge.inbound, "outbound": edge.web.ports["outbound"], "gateway": edge.http}
    for name, address in listeners.items():
        for what, data in MALFORMED.items():
            assert edge.mesh.exchange(address, data).startswith(b"HTTP/1.1 400 "), f"{what} at {name}"
        for what, headers in OVERSIZED.items():
            data = b"GET / HTTP/1.1\r\nhost: web\r\n" + headers + b"\r\n"
            assert edge.mesh.exchange(address, data).startswith(b"HTTP/1.1 431 "), f"{what} at {name}"
        edge.assert_works()


def test_garbage_at_the_ports_of_control_and_admin_is_refused_and_they_go_on(edge) -> None:
    mesh = edge.mesh
    places = [mesh.addresses["listen"], mesh.addresses["monitoring"], f"http://{edge.web.admin}"]
    for address in (place.removeprefix("http://") for place in places):
        for data in (MALFORMED["no HTTP"], client_hello(), b"GET / HTTP/1.1\r\nx: " + b"v" * 100_000 + b"\r\n\r\n"):
            assert mesh.exchange(address, data).split(b" ", 2)[1] in (b"400", b"431")
    path = "/v3/discovery:delta"
    body = b"POST %s HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{{" % path.encode()
    assert mesh.exchange(places[0].removeprefix("http://"), body).startswith(b"HTTP/1.1 400 ")
    mesh.run("get", "services")
    edge.assert_works()


def test_garbage_half_a_handshake_and_silence_at_tls_ports_hurt_nobody(edge) -> None:
    edge.set_mode("STRICT")
    mesh, hello = edge.mesh, client_hello()
    with contextlib.ExitStack() as open_connections:
        for address in (edge.inbound, edge.https, mesh.addresses["tls"].removeprefix("https://")):
            for data in (
                b"\x16\x03\x01\x02\x00" + bytes(range(256)) * 2,
                hello + b"garbage" * 99,
                MALFORMED["no HTTP"],
            ):
                answer = mesh.exchange(address, data)
                assert not answer.startswith(b"HTTP"), f"{address}: {answer!r}"
            for data in (hello[:60], hello, b""):
                connect(address).close()
                open_connections.enter_context(connect(address)).sendall(data)
            for _ in range(ENOUGH):
                open_connections.enter_context(connect(address))
        edge.assert_works()
        mesh.proxy("late", 0)  # which joins
    edge.assert_works()
