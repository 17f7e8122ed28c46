"""The end of a proxy, seen by those who still want something of it."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "programs"
FRONT = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: front}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: payment}
spec:
  hosts: ["*"]
  gateways: [front]
  http: [{route: [{destination: {host: payment}}]}]
"""
# Ends with a call of another service.
CALLS_AT_ITS_END = """
import os, signal, socket, sys, urllib.request
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
listening = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
try:
    while True:
        listening.accept()
finally:
    print("answer at the end:", urllib.request.urlopen("http://payment/bye", timeout=5).status, flush=True)
"""


def start_payment(mesh) -> None:
    command = (sys.executable, str(PROGRAMS / "counting_app.py"), str(mesh.state_dir / "accounts"))
    mesh.wrapped("--service", "payment", "--app-port", "0", command=command)


def open_gateway(mesh, *flags: str):
    gateway = mesh.gateway("--port-map", "80=0", *flags)
    found = gateway.wait_line(r"^listening on \S+:(\d+) \(Gateway port 80\)")
    return gateway, f"127.0.0.1:{found.group(1)}"


def test_an_application_can_call_others_until_its_end(mesh) -> None:
    mesh.control()
    start_payment(mesh)
    web = mesh.wrapped("--service", "web", "--app-port", "0", command=(sys.executable, "-c", CALLS_AT_ITS_END))
    assert web.stop() == 0
    assert "answer at the end: 200" in web.output


def test_an_instance_can_be_taken_out_and_put_back_in(mesh) -> None:
    """`/healthcheck/fail`: it is still there, and told to nobody."""
    mesh.control()
    caller = mesh.proxy("caller", 0)
    payment = mesh.proxy("payment", mesh.http_app("payment").port)
    inbound = payment.ports["inbound"]
    mesh.wait_until(lambda: inbound in caller.clusters(), "its endpoint")
    assert payment.read_admin("/healthcheck/fail", "POST").status == 200
    assert payment.read_admin("/ready").body == b"DRAINING\n"
    mesh.wait_until(lambda: caller.get("http://payment/").status == 503, "no endpoint")
    assert mesh.http_get(f"http://{inbound}/").headers["connection"] == "close"
    payment.read_admin("/healthcheck/ok", "POST")
    mesh.wait_until(lambda: caller.get("http://payment/").status == 200, "its endpoint")
    assert payment.read_admin("/ready").body == b"LIVE\n"


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("behaviour", "stops"), [((), 12), (("stay",), 8)], ids=["clients leave", "clients come back"])
def test_a_gateway_stops_under_saturation_and_loses_no_request(mesh, behaviour, stops: int) -> None:
    mesh.control()
    start_payment(mesh)
    mesh.apply(FRONT)
    for _ in range(stops):
        gateway, address = open_gateway(mesh)
        mesh.wait_until(lambda: mesh.http_get(f"http://{address}/").status == 200, "the path")  # noqa: B023
        command = (sys.executable, str(PROGRAMS / "closed_loop.py"), address, "payment", "24", *behaviour)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as clients:
            assert clients.stdout is not None
            assert clients.stdout.readline() == "answered\n"
            assert gateway.stop() == 0
            report = json.loads(clients.communicate(timeout=20)[0])
        assert report["lost"] == {}
        assert report["answered"] > 24


def test_a_proxy_waits_for_requests_as_long_as_the_mesh_config_says(mesh, tmp_path) -> None:
    (tmp_path / "mesh.yaml").write_text("defaultConfig: {terminationDrainDuration: 1s}\n")
    mesh.control("--mesh-config", str(tmp_path / "mesh.yaml"))
    app = mesh.http_app("web")
    web = mesh.proxy("web", app.port)
    host, _, port = web.ports["inbound"].rpartition(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"GET /slow/40 HTTP/1.1\r\nhost: web\r\n\r\n")
        mesh.wait_until(lambda: app.requests, "the request")
        began = time.monotonic()
        assert web.stop() == 0
        assert time.monotonic() - began < 20, "the default is 45 seconds"
