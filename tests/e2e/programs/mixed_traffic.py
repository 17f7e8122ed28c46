"""Mixed traffic: `mixed_traffic.py GATEWAY SIDECAR TCP`, three addresses; one JSON object when its stdin closes.

Through the gateway and through the sidecar as an HTTP proxy: GETs, POSTs with a length, chunked POSTs, WebSockets, slow
readers of large responses, and clients that hang up in the midst of a head, a body or a response; through TCP, echoes.
Each kind of client does one thing after the other and checks what comes back. The object says for each kind how often
it went well (`ok`), and what happened otherwise.
"""

import asyncio
import json
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import aiohttp
import uvloop

HOST = "web"
PAUSE = 0.02
BIG = 64 * 16384
TIMEOUT = aiohttp.ClientTimeout(total=15)

outcomes: dict[str, Counter[str]] = defaultdict(Counter)


class WrongAnswerError(Exception):
    pass


class Route:
    """One way to the service `web`."""

    def __init__(self, address: str, is_proxy: bool) -> None:
        self.host, port = address.rsplit(":", 1)
        self.port = int(port)
        self.url = f"http://{HOST}" if is_proxy else f"http://{address}"
        self.proxy = f"http://{address}" if is_proxy else None

    def request(self, session: aiohttp.ClientSession, method: str, path: str, **options: object):
        return session.request(method, self.url + path, proxy=self.proxy, **options)

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.host, self.port)


def expect(found: object, expected: object) -> None:
    if found != expected:
        raise WrongAnswerError(f"{found!r} instead of {expected!r}")


async def get(route: Route, session: aiohttp.ClientSession) -> None:
    async with route.request(session, "GET", "/") as response:
        expect((response.status, await response.text()), (200, "small"))


async def post(route: Route, session: aiohttp.ClientSession) -> None:
    async with route.request(session, "POST", "/", data=b"x" * 20_000) as response:
        expect((response.status, await response.text()), (200, "20000"))


async def post_chunked(route: Route, session: aiohttp.ClientSession) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 500
            await asyncio.sleep(0.001)

    async with route.request(session, "POST", "/", data=pieces()) as response:
        expect((response.status, await response.text()), (200, "10000"))


async def talk(route: Route, session: aiohttp.ClientSession) -> None:
    async with session.ws_connect(f"{route.url}/ws", proxy=route.proxy) as socket:
        for size in (1, 1000, 100_000):
            await socket.send_bytes(b"x" * size)
            expect(len(await socket.receive_bytes()), size)


async def read_slowly(route: Route, session: aiohttp.ClientSession) -> None:
    async with route.request(session, "GET", "/big") as response:
        expect(response.status, 200)
        size = 0
        async for data in response.content.iter_chunked(65536):
            size += len(data)
            await asyncio.sleep(0.02)
        expect(size, BIG)


async def hang_up(route: Route, session: aiohttp.ClientSession) -> None:
    """In the midst of a head, of a body, while waiting, and in the midst of a response."""
    target = route.url.encode()
    head = b"POST %b/ HTTP/1.1\r\nhost: web\r\ncontent-length: 1000\r\n\r\n" % target
    for data in (head[:20], head + b"x" * 500, b"GET %b/big HTTP/1.1\r\nhost: web\r\n\r\n" % target):
        for is_answered in (False, True):
            reader, writer = await route.open()
            writer.write(data)
            if is_answered and b"/big" in data:
                await asyncio.wait_for(reader.read(1000), 15)
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def echo(address: str) -> None:
    reader, writer = await asyncio.open_connection(*address.rsplit(":", 1))
    try:
        for size in (1, 1000, 100_000):
            writer.write(b"x" * size)
            await asyncio.wait_for(reader.readexactly(size), 15)
    finally:
        writer.close()


async def repeat(kind: str, act: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await act()
        except (aiohttp.ClientError, OSError, TimeoutError, EOFError, WrongAnswerError, TypeError) as error:
            outcomes[kind][f"{type(error).__name__}: {error}"[:200]] += 1
        else:
            outcomes[kind]["ok"] += 1
        await asyncio.sleep(PAUSE)


async def main(gateway: str, sidecar: str, tcp: str) -> None:
    stop = asyncio.Event()
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session, asyncio.TaskGroup() as tasks:
        for way, route in (("gateway", Route(gateway, False)), ("sidecar", Route(sidecar, True))):
            for act in (get, post, post_chunked, talk, read_slowly, hang_up):
                work = repeat(f"{act.__name__} {way}", lambda act=act, route=route: act(route, session), stop)
                tasks.create_task(work)
        for _ in range(2):
            tasks.create_task(repeat("tcp", lambda: echo(tcp), stop))
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        stop.set()
    print(json.dumps(outcomes))


uvloop.run(main(*sys.argv[1:]))
