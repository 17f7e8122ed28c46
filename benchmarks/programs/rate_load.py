"""Requests at a constant rate over keep-alive connections, whether or not earlier ones are answered: an open loop.

`rate_load.py PORT SECONDS CONNECTIONS RATE HOST`. The latency of a request counts from when it was due, not from when
a connection was free to send it, so that a stall is paid by all that it delays (no coordinated omission). Prints JSON.
"""

import gc
import select
import socket
import sys
import time
from collections import deque

from outcome import print_outcome

_GRACE = 2.0  # seconds that the last answers have


class Connection:
    """One request at a time. `due` is None while it is free."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.due: float | None = None
        self._received = b""

    def read_answer(self) -> bool | None:
        """Whether the answer was a good one; None while it is not complete."""
        self._received += self.socket.recv(65536)
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return None if self._received else False
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
        if len(body) < int(length):
            return None
        self._received = b""
        return head.startswith(b"HTTP/1.1 200 ")


class Generator:
    def __init__(self, port: int, connections: int, rate: float, host: str) -> None:
        self._request = f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        self._free = deque(Connection(port) for _ in range(connections))
        self._by_fd = {connection.socket.fileno(): connection for connection in self._free}
        self._epoll = select.epoll()
        for fd in self._by_fd:
            self._epoll.register(fd, select.EPOLLIN)
        self._interval = 1 / rate
        self.latencies: list[float] = []
        self.failures = 0

    def run(self, seconds: float) -> float:
        """Returns how long requests were due."""
        start = due = time.perf_counter()
        end = start + seconds
        while (now := time.perf_counter()) < end + _GRACE and (due < end or len(self._free) < len(self._by_fd)):
            while due <= now and due < end and self._free:
                self._send(due)
                due += self._interval
            self._wait(due - now if due < end and self._free else _GRACE)
        self.failures += round((end - due) / self._interval) if due < end else 0
        self.failures += len(self._by_fd) - len(self._free)
        return seconds

    def _send(self, due: float) -> None:
        connection = self._free.popleft()
        connection.due = due
        connection.socket.send(self._request)

    def _wait(self, timeout: float) -> None:
        # select, for its microseconds: epoll's timeout is in milliseconds.
        select.select((self._epoll,), (), (), max(0.0, timeout))
        for fd, _ in self._epoll.poll(0):
            connection = self._by_fd[fd]
            is_good = connection.read_answer()
            if is_good is None or connection.due is None:
                continue
            self.latencies.append(time.perf_counter() - connection.due)
            self.failures += not is_good
            connection.due = None
            self._free.append(connection)


def main() -> None:
    generator = Generator(int(sys.argv[1]), int(sys.argv[3]), float(sys.argv[4]), sys.argv[5])
    gc.disable()
    seconds = generator.run(float(sys.argv[2]))
    print_outcome(len(generator.latencies), seconds, generator.latencies, generator.failures)


if __name__ == "__main__":
    main()
