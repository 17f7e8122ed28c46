"""The admin port over HTTP, in front of a proxy that stands still."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from pymesh.proxy.admin.server import AdminServer
from pymesh.proxy.sockets import bind_address, bound_address
from pymesh.proxy.xds.disk_cache import no_resources
from pymesh.tasks import TaskGroup
from pymesh.xds import CLUSTER, SECRET, TYPES, Address, DeltaResource, Node, NodeMetadata

SECRET_RESOURCE = {
    "name": "kubernetes://web",
    "tls_certificate": {
        "certificate_chain": {"inline_string": "public"},
        "private_key": {"inline_string": "hunter2"},
    },
}
CLUSTER_DESCRIPTION = {
    "name": "outbound|80||payment",
    "endpoints": [{"address": "10.0.0.1:80", "healthy": True, "weight": 1}],
}


class Page:
    def __init__(self, status: int, text: str) -> None:
        self.status = status
        self.text = text

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class StandingDataPlane:
    """It counts nothing that it was not asked to count: `expose` shows 3 only after a `refresh`."""

    def __init__(self) -> None:
        self.journal: list[str] = []
        self._requests = b" 0\n"

    async def refresh(self) -> None:
        self._requests = b" 3\n"

    def expose(self) -> Iterator[bytes]:
        return iter((b"istio_requests_total", self._requests))

    async def describe_listeners(self) -> list[dict[str, Any]]:
        return [{"name": "http_proxy"}]

    async def describe_clusters(self) -> list[dict[str, Any]]:
        return [CLUSTER_DESCRIPTION]

    async def describe_workers(self) -> None:
        return None

    async def announce_drain(self, inbound_only: bool = False) -> None:
        self.journal.append("announce inbound" if inbound_only else "announce")

    async def stop_accepting(self, inbound_only: bool = False) -> None:
        self.journal.append("stop inbound" if inbound_only else "stop")


class Admin:
    """The proxy behind the admin port is `proxy`, to be changed at will."""

    def __init__(self) -> None:
        self.proxy = SimpleNamespace(
            state="LIVE",
            started_at=time.monotonic(),
            node=Node("sidecar~10.0.0.2~web.default~x", metadata=NodeMetadata(name="web")),
            runtime=SimpleNamespace(held=no_resources(), rejected={type_url: {} for type_url in TYPES}),
            data_plane=StandingDataPlane(),
            identity=SimpleNamespace(describe=lambda: {"state": "valid"}),
            xds=SimpleNamespace(is_connected=True),
            quit=asyncio.Event(),
            drain_time=0.0,
            tasks=TaskGroup(),
            fail_health=self._fail_health,
            describe_ports=lambda: {"outbound": "127.0.0.1:15001"},
        )
        sock = bind_address(Address("127.0.0.1", 0))
        self.server = AdminServer(self.proxy, sock)
        self._url = f"http://{bound_address(sock)}"

    async def _fail_health(self, is_failed: bool) -> None:
        self.proxy.data_plane.journal.append(f"failed {is_failed}")

    async def ask(self, path: str, method: str = "GET", **headers: str) -> Page:
        async with aiohttp.request(method, self._url + path, headers=headers) as response:
            return Page(response.status, await response.text())


@pytest.fixture
async def admin() -> AsyncIterator[Admin]:
    admin = Admin()
    await admin.server.start()
    yield admin
    await admin.server.aclose()


@pytest.mark.parametrize(("state", "status"), [("LIVE", 200), ("PRE_INITIALIZING", 503), ("DRAINING", 503)])
async def test_a_proxy_is_ready_only_while_it_is_live(admin: Admin, state: str, status: int) -> None:
    admin.proxy.state = state
    assert (await admin.ask("/ready")).status == status
    assert (await admin.ask("/healthz/ready")).text == f"{state}\n"


async def test_the_ports_are_readable(admin: Admin) -> None:
    assert (await admin.ask("/ports")).json == {"outbound": "127.0.0.1:15001"}


async def test_server_info_says_who_it_is_and_what_it_rejected(admin: Admin) -> None:
    admin.proxy.runtime.rejected[CLUSTER]["c"] = "name: is required"
    info = (await admin.ask("/server_info")).json
    assert info["state"] == "LIVE"
    assert info["node"]["metadata"]["NAME"] == "web"
    assert info["rejected"] == {CLUSTER: {"c": "name: is required"}}


async def test_no_private_key_is_in_the_config_dump(admin: Admin) -> None:
    admin.proxy.runtime.held[SECRET]["kubernetes://web"] = DeltaResource("kubernetes://web", "1", SECRET_RESOURCE)
    page = await admin.ask("/config_dump")
    assert "hunter2" not in page.text
    assert "public" in page.text
    assert '"[redacted]"' in page.text


async def test_listeners_and_certificates_are_described(admin: Admin) -> None:
    assert (await admin.ask("/listeners")).json == [{"name": "http_proxy"}]
    assert (await admin.ask("/certs")).json == {"certificates": [{"state": "valid"}]}


async def test_clusters_are_listed_in_envoys_text_form_and_as_json(admin: Admin) -> None:
    text = (await admin.ask("/clusters")).text
    assert "outbound|80||payment::10.0.0.1:80::weight::1\n" in text
    assert (await admin.ask("/clusters?format=json")).json == {"cluster_statuses": [CLUSTER_DESCRIPTION]}


async def test_prometheus_reads_the_counters(admin: Admin) -> None:
    assert (await admin.ask("/stats/prometheus")).text == "istio_requests_total 3\n"


async def test_what_changes_something_must_be_posted(admin: Admin) -> None:
    assert (await admin.ask("/quitquitquit")).status == 405
    assert (await admin.ask("/drain_listeners")).status == 405
    assert not admin.proxy.quit.is_set()


async def test_quitquitquit_asks_for_the_end(admin: Admin) -> None:
    assert (await admin.ask("/quitquitquit", "POST")).status == 200
    assert admin.proxy.quit.is_set()


async def test_listeners_are_drained_as_envoy_drains_them(admin: Admin) -> None:
    journal = admin.proxy.data_plane.journal
    for query, expected in (
        ("", ["announce", "stop"]),
        ("?inboundonly", ["announce inbound", "stop inbound"]),
        ("?graceful", ["announce", "stop"]),
        ("?inboundonly&graceful", ["announce inbound", "stop inbound"]),
        ("?graceful&skip_exit", ["announce"]),
        ("?skip_exit", []),
    ):
        page = await admin.ask(f"/drain_listeners{query}", "POST")
        await asyncio.sleep(0.01)  # a drain time of 0
        assert (page.status, journal) == (200 if expected else 400, expected)
        journal.clear()


async def test_a_graceful_drain_stops_accepting_when_the_drain_time_is_over(admin: Admin) -> None:
    admin.proxy.drain_time = 60.0
    await admin.ask("/drain_listeners?graceful", "POST")
    assert admin.proxy.data_plane.journal == ["announce"]
    await admin.proxy.tasks.aclose()


async def test_health_can_be_failed_and_restored(admin: Admin) -> None:
    await admin.ask("/healthcheck/fail", "POST")
    await admin.ask("/healthcheck/ok", "POST")
    assert admin.proxy.data_plane.journal == ["failed True", "failed False"]


async def test_a_web_page_cannot_end_the_proxy(admin: Admin) -> None:
    """A browser says which page sends a POST; whoever means it uses no browser."""
    page = await admin.ask("/quitquitquit", "POST", Origin="https://evil.example")
    assert page.status == 403
    assert not admin.proxy.quit.is_set()
