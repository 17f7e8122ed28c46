"""Sidecars as real processes: how they start, serve, come back, and go."""

import contextlib
import json
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

# The subsets before the route to them: until they are there, the route leads nowhere (503 NC), as in Istio.
ROUTE_TO_V2 = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: payment}
spec:
  host: payment
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: payment}
spec:
  hosts: [payment]
  http:
  - route: [{destination: {host: payment, subset: v2}}]
"""

# An application that listens where it is told, and prints what it was told.
TOLD_APP = """
import http.server, json, os
names = ("PORT", "http_proxy", "no_proxy", "PYMESH_ADMIN")
print("told", json.dumps({name: os.environ[name] for name in names}), flush=True)
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), http.server.SimpleHTTPRequestHandler)
server.serve_forever()
"""


def workload_entries(mesh) -> list:
    return json.loads(mesh.run("get", "workloadentries", "-o", "json").stdout)["items"]


def test_a_request_goes_from_sidecar_to_sidecar_over_mtls(mesh) -> None:
    mesh.control()
    payment = mesh.http_app("payment")
    mesh.proxy("payment", payment.port)
    web = mesh.proxy("web", mesh.http_app("web").port)
    answer = web.get("http://payment/pay?x=1")
    assert (answer.status, answer.json["app"], answer.json["path"]) == (200, "payment", "/pay?x=1")
    assert "spiffe://cluster.local/ns/default/sa/default" in answer.json["headers"]["x-forwarded-client-cert"]


def test_clients_that_speak_http_1_0_are_served_and_may_connect(mesh) -> None:
    mesh.control()
    mesh.proxy("payment", mesh.http_app("payment").port)
    web = mesh.proxy("web", mesh.http_app("web").port)
    assert web.get("http://payment/").status == 200
    request = b"GET /old HTTP/1.0\r\nHost: payment\r\n\r\n"
    host, _, port = web.ports["outbound"].rpartition(":")
    for head in (b"", b"CONNECT payment:80 HTTP/1.0\r\n\r\n"):
        with socket.create_connection((host, int(port)), 10.0) as client:
            if head:
                client.sendall(head)
                assert b" 200 " in client.recv(65536)
            client.sendall(request)
            with client.makefile("rb") as answer:
                status, *_, body = answer.read().split(b"\r\n")
        assert status == b"HTTP/1.0 200 OK"
        assert json.loads(body)["path"] == "/old"


def test_a_tcp_upstream_is_carried_to_the_service(mesh) -> None:
    mesh.control()
    mesh.proxy("db", mesh.tcp_app(b"db:").port, "--app-protocol", "tcp")
    port = mesh.tcp_app().port  # what the registry declares for a tcp workload is its application's port
    db_port = json.loads(mesh.run("get", "service", "db", "-o", "json").stdout)["spec"]["ports"][0]["port"]
    web = mesh.proxy("web", port, "--upstream", f"0=db:{db_port}")
    host, _, local_port = web.ports["upstreams"][0]["listen"].partition(":")
    with socket.create_connection((host, int(local_port)), timeout=10) as connection:
        connection.sendall(b"hello")
        assert connection.recv(100) == b"db:hello"
        began = time.monotonic()
        assert web.stop() == 0  # nobody waits for the application to hang up
        assert time.monotonic() - began < 10


def test_a_pushed_rule_reaches_a_running_sidecar_and_loses_no_request(mesh) -> None:
    mesh.control()
    mesh.proxy("payment", mesh.http_app("v1").port, "--version", "v1")
    mesh.proxy("payment", mesh.http_app("v2").port, "--version", "v2")
    web = mesh.proxy("web", mesh.http_app("web").port)
    statuses, apps, stop = set(), [], threading.Event()

    def call() -> None:
        while not stop.is_set():
            answer = web.get("http://payment/")
            statuses.add(answer.status)
            apps.append(answer.json["app"])

    caller = threading.Thread(target=call)
    caller.start()
    mesh.apply(ROUTE_TO_V2)
    mesh.wait_until(lambda: len(apps) > 10 and set(apps[-10:]) == {"v2"}, "ten answers of v2 in a row")
    stop.set()
    caller.join()
    assert statuses == {200}


def test_a_sidecar_is_ready_only_when_its_application_answers(mesh) -> None:
    mesh.control()
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        web = mesh.proxy("web", port, ready=False)
        web.wait_line("registered")
        assert web.read_admin("/ready").status == 503
        [entry] = workload_entries(mesh)
        assert entry["status"]["conditions"][0]["status"] == "False"
        held.listen()
        web.wait_line("is ready")
    assert web.read_admin("/ready").status == 200


def test_a_sidecar_that_stops_lets_the_request_in_flight_finish(mesh) -> None:
    mesh.control()
    app = mesh.http_app("payment")
    payment = mesh.proxy("payment", app.port)
    web = mesh.proxy("web", mesh.http_app("web").port)
    answers = []
    caller = threading.Thread(target=lambda: answers.append(web.get("http://payment/slow/1.5")))
    caller.start()
    mesh.wait_until(lambda: app.requests, "the request to be in flight")
    began = time.monotonic()
    assert payment.stop() == 0
    assert time.monotonic() - began < 10
    caller.join()
    assert [answer.status for answer in answers] == [200]


def test_a_second_signal_does_not_wait_for_the_request_in_flight(mesh) -> None:
    mesh.control()
    app = mesh.http_app("payment")
    payment = mesh.proxy("payment", app.port)
    web = mesh.proxy("web", mesh.http_app("web").port)
    answers = []
    caller = threading.Thread(target=lambda: answers.append(web.get("http://payment/slow/8")))
    caller.start()
    mesh.wait_until(lambda: app.requests, "the request to be in flight")
    payment.send_signal(signal.SIGTERM)
    mesh.wait_until(lambda: payment.read_admin("/ready").body == b"DRAINING\n", "the drain")
    began = time.monotonic()
    assert payment.stop(signal.SIGINT) == 128 + signal.SIGINT
    assert time.monotonic() - began < 2
    caller.join()


STUBBORN_APP = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
print("blocked", flush=True)
while True:
    print("got", signal.sigwait({signal.SIGTERM}), flush=True)
"""


def test_one_more_signal_kills_a_command_that_does_not_end(mesh) -> None:
    mesh.control()
    wrapped = mesh.wrapped(
        "--service", "a", "--app-port", "0", command=(sys.executable, "-c", STUBBORN_APP), ready=False
    )
    wrapped.wait_line("blocked")
    wrapped.send_signal(signal.SIGTERM)
    wrapped.wait_line("got 15")
    wrapped.wait_line("the command has not ended yet; one more signal kills it")
    assert wrapped.stop() == 128 + signal.SIGKILL


def test_a_command_does_not_outlive_its_sidecar(mesh) -> None:
    mesh.control()
    wrapped = mesh.wrapped("--service", "a", "--app-port", "0", command=(sys.executable, "-c", TOLD_APP))
    with socket.create_connection(("127.0.0.1", wrapped.ports["app"])) as client:
        assert wrapped.stop(signal.SIGKILL) == -signal.SIGKILL
        client.settimeout(10.0)
        with contextlib.suppress(ConnectionResetError):  # the application had not accepted it yet
            assert client.recv(1) == b""


def test_a_rolling_restart_of_every_instance_loses_no_request(mesh) -> None:
    mesh.control()
    apps = [mesh.http_app("payment"), mesh.http_app("payment")]
    sidecars = [mesh.proxy("payment", app.port) for app in apps]
    web = mesh.proxy("web", mesh.http_app("web").port)
    statuses, stop = [], threading.Event()

    def call() -> None:
        while not stop.is_set():
            statuses.append(web.get("http://payment/").status)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for app, sidecar in zip(apps, sidecars, strict=True):
        assert sidecar.stop() == 0
        before = len(statuses)
        mesh.proxy("payment", app.port)
        mesh.wait_until(lambda before=before: len(statuses) > before + 20, "requests to go on")
    stop.set()
    for caller in callers:
        caller.join()
    assert set(statuses) == {200}


def test_a_request_is_counted_and_logged(mesh) -> None:
    mesh.control()
    mesh.proxy("payment", mesh.http_app("payment").port)
    web = mesh.proxy("web", mesh.http_app("web").port, "--access-log", "-")
    web.get("http://payment/pay")
    web.wait_line(r'"GET /pay HTTP/1\.1" 200 .*outbound\|80\|\|payment\.default\.svc\.cluster\.local')
    metrics = web.read_admin("/stats/prometheus").body.decode()
    assert 'destination_service="payment.default.svc.cluster.local"' in metrics


def test_a_sidecar_that_stops_leaves_the_registry(mesh) -> None:
    mesh.control()
    mesh.proxy("payment", mesh.http_app("payment").port).stop()
    assert workload_entries(mesh) == []


def test_traffic_goes_on_and_a_sidecar_restarts_while_control_is_away(mesh) -> None:
    control = mesh.control()
    payment_port = mesh.http_app("payment").port
    payment = mesh.proxy("payment", payment_port)
    web = mesh.proxy("web", mesh.http_app("web").port)
    assert web.get("http://payment/").status == 200
    control.stop()
    assert web.get("http://payment/").status == 200
    ports = payment.ports
    payment.stop(signal.SIGKILL)
    restarted = mesh.proxy("payment", payment_port)
    assert restarted.ports["inbound"] == ports["inbound"]
    assert restarted.ports["name"] == ports["name"]
    assert web.get("http://payment/").status == 200
    restarted.wait_line(r"control plane at https://127\.0\.0\.1:\d+ unreachable: Connection refused; retrying in")


def test_a_sidecar_that_is_started_first_waits_for_control_and_says_so(mesh) -> None:
    web = mesh.proxy("web", mesh.http_app("web").port, ready=False)
    web.wait_line(r"retrying in|next try in")
    mesh.control()
    web.wait_line("is ready")


def test_a_restarted_control_plane_is_registered_with_again(mesh) -> None:
    control = mesh.control()
    web = mesh.proxy("web", mesh.http_app("web").port)
    control.stop(signal.SIGKILL)
    mesh.control()
    mesh.wait_until(lambda: "web" in mesh.run("proxy-status").stdout, "web at the new control plane", 15.0)
    assert web.read_admin("/server_info").json["control_connected"]


def test_an_occupied_port_is_one_line_and_exit_code_2(mesh) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        address = f"127.0.0.1:{occupied.getsockname()[1]}"
        flags = ("--inbound-listen", "127.0.0.1:0", "--outbound-listen", address)
        result = mesh.run("proxy", "--service", "web", "--app-port", "1", *flags, code=2)
    hint = "--outbound-listen 127.0.0.1:0 takes any port that is free"
    assert result.stderr == f"pymesh proxy: cannot listen on {address}: Address already in use; {hint}\n"


@pytest.mark.skipif(not Path("/proc").exists(), reason="CPU time is read from /proc")
def test_a_sidecar_that_starts_is_ready_after_a_second_of_work_at_most(mesh) -> None:
    """Of CPU time, which a machine that does other things too does not change."""
    mesh.control()
    web = mesh.proxy("web", mesh.http_app("web").port)
    fields = Path(f"/proc/{web.pid}/stat").read_text().rpartition(")")[2].split()
    ticks = sum(map(int, fields[11:15]))  # utime, stime and those of the children that have ended
    assert ticks / os.sysconf("SC_CLK_TCK") < 1.0


# pymesh run


def test_a_wrapped_application_is_told_its_port_and_its_proxy(mesh) -> None:
    mesh.control()
    web = mesh.wrapped("--service", "web", "--app-port", "0", command=(sys.executable, "-c", TOLD_APP))
    told = json.loads(web.wait_line(r"told (.*)").group(1))
    assert told["PORT"] == str(web.ports["app"])
    assert told["http_proxy"] == f"http://{web.ports['outbound']}"
    assert told["PYMESH_ADMIN"] == web.ports["admin"]
    assert "127.0.0.1" in told["no_proxy"]


def test_the_exit_code_of_run_is_the_commands(mesh) -> None:
    mesh.control()
    command = (sys.executable, "-c", "raise SystemExit(7)")
    assert mesh.wrapped("--service", "web", "--app-port", "0", command=command, ready=False).wait() == 7


def test_a_signal_takes_the_sidecar_out_of_the_mesh_before_the_command_gets_it(mesh) -> None:
    mesh.control()
    web = mesh.wrapped("--service", "web", "--app-port", "0", command=(sys.executable, "-c", TOLD_APP))
    assert web.stop(signal.SIGTERM) == 128 + signal.SIGTERM
    assert workload_entries(mesh) == []


def test_a_command_that_cannot_start_is_one_line_and_127(mesh) -> None:
    mesh.control()
    web = mesh.wrapped("--service", "web", "--app-port", "0", command=("/no/such/command",), ready=False)
    assert web.wait() == 127
    assert "pymesh run: /no/such/command: No such file or directory" in web.output
