"""`--concurrency 2`: two worker processes that nobody outside can tell from one proxy, and the death of one.

The kernel chooses the worker of each connection: of sixteen, all come to the same one once in thirty thousand times.
"""

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

TWO = ("--concurrency", "2")

TAGGED = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {host}}}
spec:
  hosts: [{host}]
  http:
  - headers: {{response: {{set: {{x-push: "{number}"}}}}}}
    route: [{{destination: {{host: payment}}}}]
"""

GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: {name}}}
spec:
  selector: {{istio: ingressgateway}}
  servers: [{{port: {{number: {port}, name: http, protocol: HTTP}}, hosts: ["*"]}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}}}
spec:
  hosts: ["*"]
  gateways: [{name}]
  http: [{{route: [{{destination: {{host: payment}}}}]}}]
"""

LIMITED = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: limited}
spec:
  host: limited
  trafficPolicy: {connectionPool: {http: {http2MaxRequests: 3}}}
"""


@pytest.fixture(scope="module")
def mesh(module_mesh) -> Iterator[Any]:
    """With a service `payment`, of which each worker of its sidecar has its share."""
    module_mesh.control()
    module_mesh.payment = module_mesh.proxy("payment", module_mesh.http_app("payment").port, *TWO)
    return module_mesh


def workers_of(proxy: Any) -> dict[int, float]:
    """Connections accepted, by pid."""
    info = proxy.read_admin("/server_info").json
    return {worker["pid"]: worker["downstream_cx_total"] for worker in info["workers"]}


def requests_of(proxy: Any) -> list[float]:
    """A figure for each series of istio_requests_total in a scrape."""
    lines = proxy.read_admin("/stats/prometheus").body.decode().splitlines()
    return [float(line.rpartition(" ")[2]) for line in lines if line.startswith("istio_requests_total{")]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def owners_of(proxy: Any, connections: list[socket.socket]) -> list[int]:
    """Which process has accepted each."""
    descriptors = {pid: _descriptors(pid) for pid in workers_of(proxy)}
    inodes = [_inode_of_peer(connection) for connection in connections]
    return [next(pid for pid, held in descriptors.items() if f"socket:[{inode}]" in held) for inode in inodes]


def _descriptors(pid: int) -> set[str]:
    return {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}


def _inode_of_peer(connection: socket.socket) -> str:
    """proc_net(5): addresses are hexadecimal, the machine's byte order first."""

    def hexadecimal(address: tuple[str, int]) -> str:
        return f"{socket.inet_aton(address[0])[::-1].hex().upper()}:{address[1]:04X}"

    ends = hexadecimal(connection.getpeername()), hexadecimal(connection.getsockname())
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines())
    return next(row[9] for row in rows if tuple(row[1:3]) == ends)


def outbound_of(proxy: Any) -> tuple[str, int]:
    host, _, port = proxy.ports["outbound"].rpartition(":")
    return host, int(port)


def get_on(connection: socket.socket, url: str = "http://payment/") -> bytes:
    """The whole answer of an HttpApp; raises OSError where the connection ends before."""
    connection.sendall(f"GET {url} HTTP/1.1\r\nhost: payment\r\n\r\n".encode())
    answer = b""
    while not answer.endswith(b"}"):
        if not (data := connection.recv(65536)):
            raise ConnectionResetError("closed")
        answer += data
    return answer


def test_both_workers_serve_and_a_scrape_shows_one_proxy(mesh) -> None:
    web = mesh.proxy("spread", mesh.http_app("spread").port, *TWO)
    for _ in range(40):
        assert web.get("http://payment/").status == 200
    counts = workers_of(web)
    assert len(counts) == 2
    assert sum(counts.values()) == 40
    assert min(counts.values()) > 0
    assert requests_of(web) == [40]
    assert mesh.payment.pid not in workers_of(mesh.payment)
    listener = next(found for found in web.read_admin("/listeners").json if found["name"] == "http_proxy")
    assert listener["stats"]["downstream_cx_total"] == 40
    names = [line.split("::")[0] for line in web.clusters().splitlines() if "payment" in line and "::type::" in line]
    assert len(names) == len(set(names))


def test_what_is_exported_to_the_control_plane_is_one_proxys_too(mesh) -> None:
    web = mesh.proxy("exported", mesh.http_app("exported").port, *TWO)
    for _ in range(20):
        web.get("http://payment/")
    assert web.stop() == 0

    def exported() -> list[str]:
        text = mesh.http_get(f"{mesh.addresses['monitoring']}/metrics").body.decode()
        lines = [line for line in text.splitlines() if line.startswith("istio_requests_total{")]
        ours = [line for line in lines if 'reporter="source"' in line and 'source_workload="exported-v1"' in line]
        return [line.rpartition(" ")[2] for line in ours]

    mesh.wait_until(lambda: exported() == ["20"], "the requests of both workers, in one series")


def test_a_change_reaches_all_workers(mesh) -> None:
    web = mesh.proxy("changed", mesh.http_app("changed").port, *TWO)
    for number in (1, 2):
        mesh.apply(TAGGED.format(host="tagged", number=number))

        def tags() -> set[str | None]:
            return {web.get("http://tagged/").headers.get("x-push") for _ in range(10)}

        mesh.wait_until(lambda number=number, tags=tags: tags() == {str(number)}, "the change, on every connection")
    assert min(workers_of(web).values()) > 0


def test_when_a_worker_is_killed_only_its_own_connections_break_and_it_is_replaced(mesh) -> None:
    web = mesh.proxy("killed", mesh.http_app("killed").port, *TWO)
    connections = [socket.create_connection(outbound_of(web), timeout=10) for _ in range(20)]
    assert all(get_on(connection).startswith(b"HTTP/1.1 200") for connection in connections)
    owners = owners_of(web, connections)
    assert len(set(owners)) == 2
    counted = sum(requests_of(web))
    victim = owners[0]
    os.kill(victim, signal.SIGKILL)
    killed_at = time.monotonic()
    for _ in range(20):  # some of them wait for the new worker in the queue of the dead one
        assert web.get("http://payment/").status == 200
    workers = mesh.wait_until(lambda: victim not in (found := workers_of(web)) and len(found) == 2 and found, "another")
    assert time.monotonic() - killed_at < 5.0  # a second where the machine has nothing else to do
    for connection, owner in zip(connections, owners, strict=True):
        with connection:
            if owner == victim:
                with pytest.raises((ConnectionResetError, BrokenPipeError)):
                    get_on(connection)
            else:
                assert get_on(connection).startswith(b"HTTP/1.1 200")
    survivors = sum(owner != victim for owner in owners)
    assert sum(requests_of(web)) == counted + 20 + survivors
    assert set(owners) - {victim} < set(workers)
    assert f"worker {victim} has died (SIGKILL)" in web.output


def test_a_new_worker_obeys_what_came_before_it(mesh) -> None:
    web = mesh.proxy("heir", mesh.http_app("heir").port, *TWO)
    mesh.apply(TAGGED.format(host="inherited", number=7))
    mesh.wait_until(lambda: web.get("http://inherited/").headers.get("x-push") == "7", "the change")
    before = workers_of(web)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    mesh.wait_until(lambda: len(found := workers_of(web)) == 2 and not set(found) & set(before), "two other workers")
    assert {web.get("http://inherited/").headers.get("x-push") for _ in range(20)} == {"7"}


def test_what_no_worker_accepts_is_refused_once(mesh) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        gateway = mesh.gateway("--port-map", f"8081={port}", "--port-map", "8082=0", *TWO)
        mesh.apply(GATEWAY.format(name="occupied", port=8081) + "---" + GATEWAY.format(name="free", port=8082))
        opened = gateway.wait_line(r"^listening on \S+:(\d+) \(Gateway port 8082\)").group(1)

        def reasons() -> list[str]:
            proxies = json.loads(mesh.run("proxy-status", "-o", "json").stdout)
            found = next(proxy for proxy in proxies if "ingressgateway" in proxy["proxy"])
            return [kind["reason"] for kind in found["types"].values() if kind["status"] == "REJECTED"]

        [reason] = mesh.wait_until(reasons, "the refusal")
        assert reason.count("Address already in use") == 1
        assert gateway.output.count("Address already in use") == 1
        for _ in range(20):
            assert mesh.http_get(f"http://127.0.0.1:{opened}/").json["app"] == "payment"
        assert min(workers_of(gateway).values()) > 0
    assert gateway.stop() == 0


def test_sigterm_to_all_processes_at_once_loses_no_request(mesh) -> None:
    web = mesh.proxy("drained", mesh.http_app("drained").port, *TWO)
    url = f"http://{web.ports['outbound']}"
    with mesh.load("http://payment/", via=url.removeprefix("http://"), callers=16, stays=False) as load:
        load.wait_answers(100)
        workers = workers_of(web)
        assert min(workers.values()) > 0
        for pid in workers:
            os.kill(pid, signal.SIGTERM)  # as systemd does, and a terminal
        assert web.stop() == 0
    assert [end for end in load.lost if not end.startswith("closed after")] == []
    assert set(load.statuses) == {200}
    assert not any(map(is_running, workers))


def test_a_worker_that_hangs_keeps_nobody_from_scraping_and_ending(mesh) -> None:
    web = mesh.proxy("hung", mesh.http_app("hung").port, "--drain-time", "1", *TWO)
    workers = list(workers_of(web))
    os.kill(workers[0], signal.SIGSTOP)
    assert web.read_admin("/stats/prometheus").status == 200
    assert web.stop() == 0
    assert not any(map(is_running, workers))


def test_a_supervisor_that_is_killed_leaves_no_worker(mesh) -> None:
    web = mesh.proxy("orphans", mesh.http_app("orphans").port, *TWO)
    workers = workers_of(web)
    address = outbound_of(web)
    assert all(map(is_running, workers))
    web.stop(signal.SIGKILL)
    mesh.wait_until(lambda: not any(map(is_running, workers)), "the end of the workers")
    assert socket.socket().connect_ex(address) != 0


def test_a_tcp_upstream_is_carried_by_all_workers(mesh) -> None:
    db = mesh.tcp_app(b"db:")
    mesh.proxy("db", db.port, "--app-protocol", "tcp", *TWO)
    web = mesh.proxy("tcp", mesh.http_app("tcp").port, "--upstream", f"0=db:{db.port}", *TWO)
    listen = web.ports["upstreams"][0]["listen"]
    mesh.wait_until(lambda: mesh.exchange(listen, b"x") == b"db:x", "the way to the database")
    host, _, port = listen.partition(":")
    connections = [socket.create_connection((host, int(port)), timeout=10) for _ in range(20)]
    for connection in connections:
        connection.sendall(b"select")
    assert {connection.recv(100) for connection in connections} == {b"db:select"}
    assert len(set(owners_of(web, connections))) == 2
    for connection in connections:
        connection.close()


def test_every_line_of_a_shared_access_log_is_whole(mesh, tmp_path) -> None:
    file = tmp_path / "access.log"
    web = mesh.proxy("logged", mesh.http_app("logged").port, "--access-log", str(file), *TWO)
    with mesh.load("http://payment/", via=web.ports["outbound"], callers=16) as load:
        load.wait_answers(200)
    assert min(workers_of(web).values()) > 0
    assert web.stop() == 0
    lines = file.read_text().splitlines()
    assert len(lines) == load.count
    assert all(line.startswith("[") and line.endswith("- default") for line in lines)


def test_a_limit_of_requests_holds_for_both_workers_together(mesh) -> None:
    app = mesh.http_app("limited")
    mesh.proxy("limited", app.port)
    web = mesh.proxy("caller", mesh.http_app("caller").port, *TWO)
    mesh.apply(LIMITED)
    mesh.wait_until(lambda: "::default_priority::max_requests::3" in web.clusters(), "the limit")
    with ThreadPoolExecutor(16) as callers:
        answers = list(callers.map(lambda _: web.get("http://limited/slow/2").status, range(16)))
    assert set(answers) == {200, 503}
    assert 3 <= answers.count(200) <= 4  # both may take the last place at the same moment
    assert min(workers_of(web).values()) > 0
