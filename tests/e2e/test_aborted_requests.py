"""Clients and applications that go away at any stage, by the hundred: nothing of them stays in the proxies."""

import asyncio
import random
import re
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: edge}
spec:
  hosts: [payment.test]
  gateways: [edge, mesh]
  http:
  - match: [{uri: {prefix: /timeout}}]
    timeout: 0.05s
    route: [{destination: {host: payment}}]
  - match: [{uri: {prefix: /retry}}]
    retries: {attempts: 3, retryOn: "5xx,reset,connect-failure", perTryTimeout: 0.1s}
    route: [{destination: {host: payment}}]
  - route: [{destination: {host: payment}}]
    mirror: {host: payment}
"""
REQUESTS = 600
CALLERS = 40
LONG = 1_000_000


async def answer(chance: random.Random, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An application that sends back the path, now and then late, in part, too much, or not at all."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            path = head.split(b" ")[1]
            if chance.random() < 0.05:
                break
            if length := re.search(rb"content-length: (\d+)", head):
                await reader.readexactly(int(length[1]))
            await asyncio.sleep(chance.choice((0, 0, 0, 0.1)))
            body = path * (LONG // len(path)) if chance.random() < 0.2 else path
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
            if chance.random() < 0.05:
                break
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.transport.abort()


async def call(chance: random.Random, port: int, number: int) -> bytes | None:
    """The path and what was answered, where it was not the path; who leaves early has nothing to say."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    path = f"{chance.choice(('/plain', '/timeout', '/retry'))}/{number}/".encode()
    body = bytes(chance.choice((0, 100, 70_000, LONG)))
    request = b"POST %b HTTP/1.1\r\nhost: payment.test\r\ncontent-length: %d\r\n\r\n%b" % (path, len(body), body)
    try:
        writer.write(request[: chance.randint(1, len(request))] if chance.random() < 0.4 else request)
        if chance.random() < 0.6:
            await asyncio.sleep(chance.choice((0, 0.001, 0.01, 0.06)))
            return None
        async with asyncio.timeout(1):
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            found = await reader.readexactly(int(length[1])) if length else b""
        return path + b" got " + found[:80] if b" 200 OK" in head and found.replace(path, b"") else None
    except (OSError, asyncio.IncompleteReadError, TimeoutError):
        return None
    finally:
        leave(chance, writer)


def leave(chance: random.Random, writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock.fileno() >= 0 and chance.random() < 0.5:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
    writer.transport.abort()


async def call_all(chance: random.Random, ports: list[int]) -> list[bytes]:
    free = asyncio.Semaphore(CALLERS)

    async def call_one(number: int) -> bytes | None:
        async with free:
            return await call(chance, chance.choice(ports), number)

    return [wrong for wrong in await asyncio.gather(*map(call_one, range(REQUESTS))) if wrong]


async def serve_and_call(
    handler: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    start: Callable[[int], list[int]],
    check: Callable[[], None],
    chance: random.Random,
) -> list[bytes]:
    """`check` runs while the application still holds on to its connections."""
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    async with server:
        ports = await asyncio.to_thread(start, server.sockets[0].getsockname()[1])
        wrong = await call_all(chance, ports)
        await asyncio.to_thread(check)
        return wrong


def active(proxy: Any) -> list[str]:
    clusters = re.findall(r".*(?:requests|retries)::active::[1-9].*|.*rq_active::[1-9].*", proxy.clusters())
    metrics = proxy.read_admin("/stats/prometheus").body.decode()
    return clusters + re.findall(r"^\w*(?:downstream_rq_active|crash\w*) [1-9].*", metrics, re.MULTILINE)


def test_nothing_stays_of_requests_that_were_aborted_and_no_answer_reaches_another(mesh) -> None:
    chance = random.Random(7)
    proxies = []

    def start(app_port: int) -> list[int]:
        mesh.control()
        web = mesh.proxy("web", mesh.http_app("web").port)
        gateway = mesh.gateway("--port-map", "80=0")
        proxies.extend((mesh.proxy("payment", app_port), web, gateway))
        mesh.apply(GATEWAY)
        edge = int(gateway.wait_line(r"listening on \S+:(\d+) ").group(1))
        outbound = int(web.ports["outbound"].rpartition(":")[2])
        mesh.wait_until(lambda: "payment.test" in web.read_admin("/config_dump").body.decode(), "the rule at web")
        return [edge, outbound]

    def check() -> None:
        for proxy in proxies:
            mesh.wait_until(lambda proxy=proxy: not active(proxy), "the last stream's end", 5.0)

    assert asyncio.run(serve_and_call(lambda r, w: answer(chance, r, w), start, check, chance)) == []
