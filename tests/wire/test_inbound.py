"""What is said of a workload's own traffic: the connections to its application, by Sidecar and DestinationRule."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pymesh.xds import Address

PLAINTEXT = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: DISABLE}}
---
"""
SIDECAR = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: shop}
spec: {inboundConnectionPool: {POOL}}
"""
RULE = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: shop}
spec: {host: shop, trafficPolicy: {connectionPool: {POOL}}}
"""
GET = b"GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n"
by_both = pytest.mark.parametrize("rule", [SIDECAR, RULE], ids=["Sidecar", "DestinationRule"])


@asynccontextmanager
async def sidecar_of_shop(mesh: Any, yaml: str) -> AsyncIterator[Any]:
    """Beside the application `v1`."""
    port = mesh.apps["v1"].port
    async with mesh.sidecar(
        PLAINTEXT + yaml, inbound=Address("127.0.0.1", 0), app_port=port, labels={"app": "shop"}
    ) as sidecar:
        yield sidecar


async def ask(sidecar: Any) -> int:
    """The status."""
    return int((await sidecar.exchange(GET, "virtualInbound")).split(b" ")[1])


@by_both
async def test_a_connection_to_the_application_carries_so_many_requests(mesh: Any, rule: str) -> None:
    await mesh.start("v1")
    async with sidecar_of_shop(mesh, rule.replace("POOL", "http: {maxRequestsPerConnection: 2}")) as sidecar:
        assert [await ask(sidecar) for _ in range(4)] == [200] * 4
    assert mesh.apps["v1"].connections == 2


@by_both
@pytest.mark.parametrize("pool", ["tcp: {idleTimeout: 50ms}", "http: {idleTimeout: 50ms}"])
async def test_an_idle_connection_to_the_application_ends_after(mesh: Any, rule: str, pool: str) -> None:
    await mesh.start("v1")
    async with sidecar_of_shop(mesh, rule.replace("POOL", pool)) as sidecar:
        await ask(sidecar)
        await mesh.wait_until(lambda: mesh.apps["v1"].open_connections == 0)


@by_both
@pytest.mark.parametrize(
    "pool", ["http: {http2MaxRequests: 1}", "tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1}"]
)
async def test_the_application_is_asked_for_so_much_at_once(mesh: Any, rule: str, pool: str) -> None:
    await mesh.start("v1")
    app = mesh.apps["v1"]
    app.may_answer.clear()
    async with sidecar_of_shop(mesh, rule.replace("POOL", pool)) as sidecar:
        first = asyncio.create_task(ask(sidecar))
        await mesh.wait_until(lambda: app.requests)
        others = [asyncio.create_task(ask(sidecar)) for _ in range(2)]
        refused, waiting = await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)
        app.may_answer.set()
        assert await first == 200
        await asyncio.gather(*waiting)
    assert {task.result() for task in refused} == {503}
    assert app.connections == 1
