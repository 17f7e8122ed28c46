"""A load that does not wait for its answers: `open_loop.py ADDRESS HOST RATE`.

RATE requests a second are begun by the clock, whatever becomes of those before: each on a kept-alive connection that is
free, or else on a new one. A third are POSTs with a body; every 200th request is answered after a second. Nothing is
sent twice. What comes back has to be the answer to this request.

It prints a line once the first is answered, and a JSON object when its stdin is closed: `sent`, `answered`, `failed`
(what became of those that failed: how often), `posts`, `seconds`, `rate` (answered a second, not counting the answers
that were late), `closed` (connections that the other side has closed, or told us to close), `p50`, `p99`, `worst` (ms
from the moment at which a request was due).
"""

import asyncio
import json
import sys
import time
from collections import Counter, deque
from contextlib import suppress

import httptools
import uvloop

TICK = 0.002
MOST_CONNECTIONS = 64
MOST_WAITING = 20_000  # due and not sent, for want of connections; beyond that they are failures
LAST_ANSWERS = 10.0
BODY = b"x" * 1000
SLOW_EVERY = 200


class Load:
    def __init__(self, address: str, host: bytes, rate: float) -> None:
        self.host = host
        self.address = address.rsplit(":", 1)
        self.rate = rate
        self.loop = asyncio.get_running_loop()
        self.idle: list[Connection] = []
        self.waiting: deque[tuple[int, float]] = deque()  # number, when it was due
        self.connections = 0
        self.sent = 0
        self.posts = 0
        self.closed = 0
        self.failed: Counter[str] = Counter()
        self.latencies: list[float] = []
        self.begin = 0.0
        self.tasks: set[asyncio.Task[None]] = set()
        self.is_over = False
        self.answered_all = asyncio.Event()

    @property
    def in_flight(self) -> int:
        return self.sent - len(self.latencies) - sum(self.failed.values())

    def tick(self) -> None:
        if self.is_over:
            return
        now = time.monotonic()
        due = int((now - self.begin) * self.rate)
        for number in range(self.sent, due):
            self.sent += 1
            self.waiting.append((number, self.begin + number / self.rate))
        self.dispatch()
        self.loop.call_later(TICK, self.tick)

    def dispatch(self) -> None:
        while self.waiting and self.idle:
            self.idle.pop().send(*self.waiting.popleft())
        for _ in range(min(len(self.waiting), MOST_CONNECTIONS - self.connections)):
            self.connections += 1
            task = self.loop.create_task(self.connect())
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        while len(self.waiting) > MOST_WAITING:
            self.waiting.popleft()
            self.failed["never sent"] += 1

    async def connect(self) -> None:
        try:
            await self.loop.create_connection(lambda: Connection(self), *self.address)
        except OSError as error:
            self.connections -= 1
            if self.waiting:
                self.waiting.popleft()
                self.failed[repr(error)] += 1

    def on_answer(self, latency: float) -> None:
        if not self.latencies:
            print("answered", flush=True)
        self.latencies.append(latency)
        if self.is_over and not self.in_flight:
            self.answered_all.set()

    async def run(self) -> dict[str, object]:
        self.begin = time.monotonic()
        self.tick()
        await self.loop.run_in_executor(None, sys.stdin.read)
        seconds = time.monotonic() - self.begin
        rate = len(self.latencies) / seconds
        self.is_over = True
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_ANSWERS if self.in_flight else 0):
                await self.answered_all.wait()
        if self.in_flight:
            self.failed["no answer"] += self.in_flight
        return self.report(seconds, rate)

    def report(self, seconds: float, rate: float) -> dict[str, object]:
        latencies = sorted(self.latencies) or [0.0]
        return {
            "sent": self.sent,
            "answered": len(self.latencies),
            "failed": dict(self.failed),
            "posts": self.posts,
            "seconds": round(seconds, 2),
            "rate": round(rate, 1),
            "closed": self.closed,
            "p50": round(1000 * latencies[len(latencies) // 2], 1),
            "p99": round(1000 * latencies[len(latencies) * 99 // 100], 1),
            "worst": round(1000 * latencies[-1], 1),
        }


class Connection(asyncio.Protocol):
    def __init__(self, load: Load) -> None:
        self.load = load
        self.expected: bytes | None = None
        self.due = 0.0
        self.body = b""
        self.is_usable = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.parser = httptools.HttpResponseParser(self)
        self.load.idle.append(self)
        self.load.dispatch()

    def send(self, number: int, due: float) -> None:
        self.due = due
        self.body = b""
        path = b"/slow/1" if number % SLOW_EVERY == SLOW_EVERY - 1 else b"/"
        if number % 3 == 0:
            self.load.posts += 1
            self.expected = b"POST %d %d" % (number, len(BODY))
            head = b"POST %b HTTP/1.1\r\nhost: %b\r\nx-request-number: %d\r\ncontent-length: %d\r\n\r\n"
            data = head % (path, self.load.host, number, len(BODY)) + BODY
        else:
            self.expected = b"GET %d 0" % number
            data = b"GET %b HTTP/1.1\r\nhost: %b\r\nx-request-number: %d\r\n\r\n" % (path, self.load.host, number)
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def connection_lost(self, error: Exception | None) -> None:
        load = self.load
        load.connections -= 1
        if load.is_over and self.expected is None:
            return
        load.closed += self.is_usable
        if self.expected is not None:
            load.failed[f"connection lost {error!r}, {self.body!r} received"] += 1
        if self in load.idle:
            load.idle.remove(self)

    # httptools

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        status = self.parser.get_status_code()
        if status != 200:
            self.load.failed[f"status {status} {self.body.decode()}"] += 1
        elif self.body != self.expected:
            self.load.failed[f"{self.body!r} instead of {self.expected!r}"] += 1
        else:
            self.load.on_answer(time.monotonic() - self.due)
        self.expected = None
        if self.parser.should_keep_alive():
            self.load.idle.append(self)
            self.load.dispatch()
        else:
            self.load.closed += 1
            self.is_usable = False
            self.transport.close()


async def main(address: str, host: str, rate: str) -> None:
    print(json.dumps(await Load(address, host.encode(), float(rate)).run()))


uvloop.run(main(*sys.argv[1:]))
