"""Mixed traffic for a minute (SOAK_SECONDS) while rules change and processes are killed: nothing leaks, nothing breaks.

Traffic goes through a gateway and two sidecars, mTLS between all. One of web's two instances and the control plane are
killed again and again. What a killed process had in hand is lost; what has nothing to do with it is not, and at the end
each survivor has as many file descriptors as at the beginning but for the connections that peers keep, nothing in hand,
and no more memory than the garbage collector lets lie.
"""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "programs"
SECONDS = float(os.environ.get("SOAK_SECONDS", "60"))
# Resident, between a third of the time and the end. The highest mark of the buffers of TLS connections comes late: a
# sidecar was at 83 MB after 60 s of it and after 90 s, and at 65 to 69 MB after a third.
MOST_MORE_MB = 24.0
MOST_MORE_DESCRIPTORS = 3  # of the control plane's client
LEAST_SUCCESS = 0.98
# What becomes of requests that a killed process had in hand, and of those that find nobody at that moment.
LOST_WITH_A_PROCESS = re.compile(
    r"\(50[234], |ServerDisconnected|ClientPayloadError|ClientOSError|ConnectionReset|WSServerHandshakeError: 50[234]"
    r"|TypeError: Received message|50[234] instead of 200|instead of 200"
)
RULES = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: front}}
spec:
  selector: {{istio: ingressgateway}}
  servers: [{{port: {{number: 80, name: http, protocol: HTTP}}, hosts: ["*"]}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: front}}
spec:
  hosts: ["*"]
  gateways: [front]
  http:
  - timeout: {timeout}s
    retries: {{attempts: 3, retryOn: "connect-failure,reset"}}
    route: [{{destination: {{host: web}}}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: web}}
spec:
  hosts: [web]
  http:
  - timeout: {timeout}s
    retries: {{attempts: 3, retryOn: "connect-failure,reset"}}
    route: [{{destination: {{host: web}}}}]
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
metadata: {{name: default, namespace: istio-system}}
spec: {{mtls: {{mode: {mode}}}}}
"""
BALANCERS = ("ROUND_ROBIN", "LEAST_REQUEST", "RANDOM")


class Soak:
    """The processes. `survivors` are never killed."""

    def __init__(self, mesh) -> None:
        self._mesh = mesh
        self.control = mesh.control()
        self.first, self.second = self._start_web("v1"), self._start_web("v2")
        echo = mesh.tcp_app()
        db = mesh.proxy("db", echo.port, "--app-protocol", "tcp")
        self.caller = mesh.proxy("caller", 0, "--upstream", f"0=db:{echo.port}")
        self.gateway = mesh.gateway("--port-map", "80=0")
        self.survivors = {"gateway": self.gateway, "caller": self.caller, "web-v1": self.first, "db": db}
        self.second.wait_line("is ready")
        self.apply(0)
        port = self.gateway.wait_line(r"^listening on \S+:(\d+) \(Gateway port 80\)").group(1)
        self.addresses = (
            f"127.0.0.1:{port}",
            self.caller.ports["outbound"],
            self.caller.ports["upstreams"][0]["listen"],
        )
        mesh.wait_until(lambda: mesh.http_get(f"http://{self.addresses[0]}/").status == 200, "the path")

    def _start_web(self, version: str):
        command = (sys.executable, str(PROGRAMS / "mixed_app.py"))
        flags = ("--service", "web", "--version", version, "--app-port", "0")
        return self._mesh.wrapped(*flags, command=command, ready=False)

    # what happens to it

    def apply(self, number: int) -> None:
        mode = "STRICT" if number % 2 else "PERMISSIVE"
        self._mesh.apply(RULES.format(timeout=20 + number, balancer=BALANCERS[number % 3], mode=mode))

    def kill_second(self, _: int) -> None:
        self.second.stop(signal.SIGKILL)
        self.second = self._start_web("v2")
        self.second.wait_line("is ready")

    def restart_second(self, _: int) -> None:
        assert self.second.stop() == 0
        self.second = self._start_web("v2")
        self.second.wait_line("is ready")

    def kill_control(self, _: int) -> None:
        self.control.stop(signal.SIGKILL)
        self.control = self._mesh.control()

    def live_through(self, seconds: float) -> None:
        events = itertools.cycle((self.apply, self.kill_second, self.apply, self.kill_control, self.restart_second))
        deadline = time.monotonic() + seconds
        for number, happen in enumerate(events):
            if time.monotonic() >= deadline:
                return
            happen(number)
            time.sleep(min(1.0, seconds / 20))


class Traffic:
    def __init__(self, addresses: tuple[str, ...]) -> None:
        command = (sys.executable, str(PROGRAMS / "mixed_traffic.py"), *addresses)
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def end(self) -> dict[str, dict[str, int]]:
        """By kind: how often it went well, and what happened otherwise."""
        output, _ = self._process.communicate(timeout=60)
        return json.loads(output)


class Holdings:
    """What a process has in hand, and what it has of the machine."""

    def __init__(self, process) -> None:
        text = process.read_admin("/stats/prometheus").body.decode()
        self.requests = total(text, "envoy_http_downstream_rq_active")
        self.clients = total(text, "envoy_listener_downstream_cx_active")
        self.crashes = total(text, "pymesh_stream_crashes_total")
        clusters = process.read_admin("/clusters?format=json").json["cluster_statuses"]
        breakers = [cluster["circuit_breakers"] for cluster in clusters]
        self.kept = sum(breaker["connections"]["active"] for breaker in breakers)
        self.slots = sum(
            breaker[name]["active"] for breaker in breakers for name in ("pending_requests", "requests", "retries")
        )
        self.chosen = sum(endpoint["rq_active"] for cluster in clusters for endpoint in cluster["endpoints"])
        self.descriptors = len(os.listdir(f"/proc/{process.pid}/fd"))

    def __repr__(self) -> str:
        return f"{self.__dict__}"

    @property
    def is_nothing(self) -> bool:
        return not (self.requests or self.slots or self.chosen)

    @property
    def own_descriptors(self) -> float:
        """Without those of connections that peers keep for the next request, on both sides."""
        return self.descriptors - self.kept - self.clients


def total(text: str, metric: str) -> float:
    lines = re.findall(rf"^{metric}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
    assert lines, f"no {metric}"
    return sum(map(float, lines))


def resident_mb(process) -> float:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return round(int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024, 1)


def memory_of(soak: Soak) -> dict[str, float]:
    return {name: resident_mb(process) for name, process in soak.survivors.items()}


def assert_only_losses_of_the_killed(outcomes: dict[str, dict[str, int]]) -> None:
    for kind, found in outcomes.items():
        others = {what: count for what, count in found.items() if what != "ok"}
        assert found["ok"] > 10, (kind, found)
        assert [what for what in others if not LOST_WITH_A_PROCESS.search(what)] == [], kind
        assert sum(others.values()) <= (1 - LEAST_SUCCESS) * found["ok"], (kind, found)
    assert set(outcomes["tcp"]) == {"ok"}, outcomes["tcp"]


@pytest.mark.soak
@pytest.mark.timeout(SECONDS * 2 + 120)
def test_nothing_leaks_and_nothing_breaks_while_rules_change_and_processes_die(mesh) -> None:
    soak = Soak(mesh)
    before = {name: Holdings(process) for name, process in soak.survivors.items()}
    traffic = Traffic(soak.addresses)
    soak.live_through(SECONDS / 3)
    memory_before = memory_of(soak)
    soak.live_through(SECONDS * 2 / 3)
    memory_after = memory_of(soak)
    outcomes = traffic.end()
    print(json.dumps(outcomes, indent=1), memory_before, memory_after)
    assert_only_losses_of_the_killed(outcomes)
    for name, process in soak.survivors.items():
        mesh.wait_until(lambda process=process: Holdings(process).is_nothing, f"{name} to have nothing in hand")
        now = Holdings(process)
        print(name, before[name], now)
        assert now.crashes == 0
        assert now.own_descriptors <= before[name].own_descriptors + MOST_MORE_DESCRIPTORS
        assert now.clients == 0 or name == "web-v1", "whose clients are the other two"
        assert memory_after[name] <= memory_before[name] + MOST_MORE_MB
        assert "bug while handling" not in process.output
        assert " crashed" not in process.output
    quiet = Traffic(soak.addresses)
    time.sleep(3)
    assert {what for found in quiet.end().values() for what in found} == {"ok"}
