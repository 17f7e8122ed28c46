"""The two ends that a script moves: a client's connection, and a server's with what it has received."""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Any

from oracle.http2 import PREFACE, read_http2
from oracle.wire import Conversation, Message, methods_of, read_requests, read_responses

OPEN, CLOSED, RESET = "open", "closed", "reset"


class Peer(asyncio.Protocol):
    """One end of a connection to a proxy. `on_change` is called after everything that happens."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self.received = b""
        self.sent = b""
        self.fate = OPEN
        self.is_ours_closed = False
        self._on_change = on_change
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._on_change()

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._on_change()

    def eof_received(self) -> bool:
        if not self.is_ours_closed:
            self.fate = CLOSED
        self._on_change()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.is_ours_closed and self.fate == OPEN:
            self.fate = RESET if exc is not None else CLOSED
        self.is_ours_closed = True
        self._on_change()

    def send(self, data: bytes) -> None:
        self.sent += data
        if self.fate == OPEN:
            self._transport.write(data)

    def end_sending(self) -> None:
        self._transport.write_eof()

    def close(self) -> None:
        if not self.is_ours_closed:
            self.is_ours_closed = True
            self._transport.close()

    def reset(self) -> None:
        if not self.is_ours_closed:
            self.is_ours_closed = True
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()

    def abort(self) -> None:
        self.is_ours_closed = True
        self._transport.abort()


class Client(Peer):
    awaited = 0  # responses that the script has waited for

    @property
    def conversation(self) -> Conversation:
        if self.sent.startswith(PREFACE):
            return read_http2(self.received)
        return read_responses(self.received, methods_of(self.sent), self.fate == CLOSED)


class Server(Peer):
    """One connection that a proxy has opened to the endpoint `label`."""

    def __init__(self, label: str, on_change: Callable[[], None]) -> None:
        super().__init__(on_change)
        self.label = label
        self.taken = 0  # requests that the script or `serve` has seen

    @property
    def conversation(self) -> Conversation:
        return read_requests(self.received)

    def next_request(self) -> Message | None:
        messages = self.conversation.messages
        return messages[self.taken] if len(messages) > self.taken else None
