"""Messages to an echo server, each when the last one has come back. `tcp_load.py PORT SECONDS CONNECTIONS BYTES`.

Prints a line of JSON: the MB that went both ways, how long that took, and the round trips' latencies.
"""

import asyncio
import sys
import time

import uvloop
from outcome import print_outcome


class Caller(asyncio.BufferedProtocol):
    """One connection."""

    def __init__(self, message: bytes, latencies: list[float]) -> None:
        self._message = message
        self._latencies = latencies
        self._buffer = bytearray(256 * 1024)
        self._missing = 0
        self._sent = 0.0
        self.is_lost = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._missing = len(self._message)
        self._sent = time.perf_counter()
        self._transport.write(self._message)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._missing -= nbytes
        if not self._missing:
            self._latencies.append(time.perf_counter() - self._sent)
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True

    def close(self) -> None:
        self._transport.abort()


async def run(port: int, seconds: float, connections: int, size: int) -> None:
    latencies: list[float] = []
    loop = asyncio.get_running_loop()
    start = time.perf_counter()
    callers = []
    for _ in range(connections):
        _, caller = await loop.create_connection(lambda: Caller(b"x" * size, latencies), "127.0.0.1", port)
        callers.append(caller)
    await asyncio.sleep(seconds)
    elapsed = time.perf_counter() - start
    lost = sum(caller.is_lost for caller in callers)
    for caller in callers:
        caller.close()
    print_outcome(len(latencies) * 2 * size / 1e6, elapsed, latencies, lost)


if __name__ == "__main__":
    uvloop.run(run(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
