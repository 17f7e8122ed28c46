"""`pymesh proxy --interception-mode REDIRECT` in a network namespace of its own, whose kernel redirects by nftables.

The application is known by its user, as Istio's rules know the proxy by its: what user 65534 sends is redirected. What
user 65533 sends stands for what comes from other machines: that is redirected to the inbound listener.
"""

import ctypes
import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

APP_USER = 65534
PEER_USER = 65533
CLONE_NEWNET = 0x40000000
PROGRAMS = ("ip", "nft")
OUTSIDE = "10.98.0.1"

SERVICES = """
apiVersion: v1
kind: Service
metadata: {name: payment}
spec: {clusterIP: 10.96.0.10, selector: {app: payment}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: 10.96.0.11, selector: {app: db}, ports: [{name: tcp, port: 5432}]}
---
"""
REGISTRY_ONLY = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default}
spec: {outboundTrafficPolicy: {mode: REGISTRY_ONLY}}
"""

RULES = """
table ip pymesh {
    chain output {
        type nat hook output priority -100;
        meta skuid %s tcp dport 1-65535 redirect to :%s
        meta skuid %s tcp dport 1-65535 redirect to :%s
    }
}
"""
STRICT_AT = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: web}
spec: {selector: {matchLabels: {app: web}}, mtls: {mode: PERMISSIVE}, portLevelMtls: {%s: {mode: STRICT}}}
"""

_libc = ctypes.CDLL(None, use_errno=True)


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


@contextmanager
def own_network() -> Iterator[None]:
    """This thread, and the processes and threads that it starts, are in a network of their own: a loopback."""
    with open("/proc/thread-self/ns/net", encoding="ascii") as before:
        if _libc.unshare(CLONE_NEWNET):
            pytest.skip(f"no network namespace: {os.strerror(ctypes.get_errno())}")
        try:
            yield
        finally:
            assert _libc.setns(before.fileno(), CLONE_NEWNET) == 0


def command(*arguments: str, told: str = "") -> None:
    environment = {**os.environ, "PATH": _path()}
    subprocess.run(arguments, input=told, text=True, check=True, timeout=10, env=environment, capture_output=True)


@pytest.fixture
def network() -> Iterator[None]:
    if os.geteuid() != 0:
        pytest.skip("only root may have a network namespace")
    missing = [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]
    if missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"not installed: {', '.join(missing)}")
    with own_network():
        command("ip", "link", "set", "lo", "up")
        command("ip", "address", "add", f"{OUTSIDE}/32", "dev", "lo")
        command("ip", "route", "add", "10.96.0.0/12", "dev", "lo")
        yield


@pytest.fixture
def web(network, request):
    """The sidecar of an application all of whose connections are redirected to it; `web.mesh` is its mesh."""
    mesh = request.getfixturevalue("mesh")
    mesh.control()
    mesh.apply(SERVICES)
    sidecar = mesh.proxy("web", mesh.http_app("web").port, "--interception-mode", "REDIRECT")
    outbound, inbound = (sidecar.ports[name].rpartition(":")[2] for name in ("outbound", "inbound"))
    command("nft", "-f", "-", told=RULES % (APP_USER, outbound, PEER_USER, inbound))
    sidecar.mesh = mesh
    return sidecar


def connect(host: str, port: int, user: int = APP_USER) -> socket.socket:
    """As the application's user: what a socket is made by, the kernel remembers."""
    _libc.setfsuid(user)
    try:
        sock = socket.socket()
    finally:
        _libc.setfsuid(0)
    sock.settimeout(5)
    sock.connect((host, port))
    return sock


def ask(host: str, port: int, data: bytes, user: int = APP_USER) -> bytes:
    """All that comes back until the other side closes; empty where it refuses."""
    received = b""
    with connect(host, port, user) as sock:
        try:
            sock.sendall(data)
            while chunk := sock.recv(65536):
                received += chunk
        except ConnectionError:
            pass
    return received


def get(host: str, port: int, authority: str, user: int = APP_USER) -> bytes:
    return ask(host, port, f"GET /pay HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n".encode(), user)


@contextmanager
def server_outside(answer: Callable[[bytes], bytes]) -> Iterator[int]:
    """Nobody declared it; one that answers what it is told."""
    with socket.create_server((OUTSIDE, 0)) as listening:
        listening.settimeout(10)

        def serve() -> None:
            try:
                while True:
                    sock, _ = listening.accept()
                    with sock:
                        sock.sendall(answer(sock.recv(1024)))
            except OSError:
                return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_request_to_a_services_address_goes_over_mtls_and_the_application_knows_of_no_proxy(web) -> None:
    web.mesh.proxy("payment", web.mesh.http_app("payment").port)
    web.mesh.wait_until(lambda: b" 200 " in get("10.96.0.10", 80, "payment"), "an answer of payment")
    head, _, body = get("10.96.0.10", 80, "payment").partition(b"\r\n\r\n")
    told = json.loads(body)
    assert (told["app"], told["path"]) == ("payment", "/pay")
    assert "spiffe://cluster.local/ns/default/sa/default" in told["headers"]["x-forwarded-client-cert"]
    assert head.startswith(b"HTTP/1.1 200 ")


def test_tcp_service_is_reached_by_its_address(web) -> None:
    db = web.mesh.tcp_app(b"db says: ")
    web.mesh.proxy("db", db.port, "--app-protocol", "tcp")
    web.mesh.wait_until(lambda: _greeting(len(b"db says: hi")) == b"db says: hi", "the database's answer")


def _greeting(size: int) -> bytes:
    """At most so many bytes of the answer; empty while nobody gives one."""
    received = b""
    with connect("10.96.0.11", 5432) as sock:
        try:
            sock.sendall(b"hi")
            while len(received) < size and (chunk := sock.recv(size)):
                received += chunk
        except ConnectionError:
            pass
    return received


def test_what_nobody_declared_goes_where_it_was_going(web) -> None:
    with server_outside(lambda data: b"outside got " + data) as port:
        assert ask(OUTSIDE, port, b"hello") == b"outside got hello"


def test_unknown_host_on_a_services_port_goes_where_it_was_going(web) -> None:
    web.mesh.apply(SERVICES.replace("port: 5432", "port: 7000").replace("name: tcp", "name: http"))
    listener = f"http://{web.admin}/listeners"
    web.mesh.wait_until(lambda: b"0.0.0.0_7000" in web.mesh.http_get(listener).body, "the listener of the port")
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\noutside"
    with socket.create_server((OUTSIDE, 7000)) as listening:
        thread = threading.Thread(target=_answer_once, args=(listening, answer), daemon=True)
        thread.start()
        assert get(OUTSIDE, 7000, "example.com").endswith(b"outside")
        thread.join(5)


def _answer_once(listening: socket.socket, answer: bytes) -> None:
    sock, _ = listening.accept()
    with sock:
        sock.recv(4096)
        sock.sendall(answer)


def test_registry_only_ends_what_nobody_declared(web) -> None:
    web.mesh.apply(REGISTRY_ONLY)
    with server_outside(lambda data: b"outside got " + data) as port:
        web.mesh.wait_until(lambda: ask(OUTSIDE, port, b"hello") == b"", "the end of what nobody declared")


def test_connection_to_the_outbound_port_itself_does_not_come_back_for_ever(web) -> None:
    port = int(web.ports["outbound"].rpartition(":")[2])
    assert ask("127.0.0.1", port, b"hello") == b""


def test_port_that_no_service_declares_is_reached_through_the_inbound_listener(web) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nmetric"
    with server_outside(lambda data: answer if data.startswith(b"GET") else b"it heard " + data) as port:
        head = get(OUTSIDE, port, "web", PEER_USER)
        assert head.endswith(b"metric")
        assert b"server: istio-envoy" in head
        assert ask(OUTSIDE, port, b"\x01\x02", PEER_USER) == b"it heard \x01\x02"
        metrics = f"http://{web.admin}/stats/prometheus"
        counted = b'destination_service_name="InboundPassthroughCluster"'
        web.mesh.wait_until(lambda: counted in web.mesh.http_get(metrics).body, "the metrics of the passthrough")
        web.mesh.apply(STRICT_AT % port)
        web.mesh.wait_until(lambda: get(OUTSIDE, port, "web", PEER_USER) == b"", "the end of plaintext")


def test_applications_own_port_is_reached_by_its_number_and_by_the_listeners(web) -> None:
    port, inbound = web.ports["app"], int(web.ports["inbound"].rpartition(":")[2])
    for number in (port, inbound):
        body = get("127.0.0.1", number, "web", PEER_USER).partition(b"\r\n\r\n")[2]
        assert json.loads(body)["app"] == "web"
