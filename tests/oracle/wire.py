"""Reads what went over a connection, as a lenient peer would: enough to tell messages apart and to print them."""

import re
from dataclasses import dataclass, field

_METHOD = re.compile(rb"^([A-Za-z-]+) [^\r\n]* HTTP/1\.[01]\r?$", re.MULTILINE)


@dataclass
class Message:
    start: bytes
    fields: list[tuple[bytes, bytes]]
    body: bytes = b""
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    is_complete: bool = False

    @property
    def status(self) -> int:
        return int(self.start.split(b" ")[1])

    @property
    def is_last(self) -> bool:
        """There is no response behind it, although its status says so."""
        return self.status == 101 or self.start.startswith(b"reset")

    def get(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.fields if key.lower() == name), None)


@dataclass
class Conversation:
    """The messages of one direction; `rest` is no message, or what follows an upgrade."""

    messages: list[Message]
    rest: bytes = b""

    @property
    def finals(self) -> list[Message]:
        """Complete responses that answer a request, and resets of streams."""
        return [item for item in self.messages if item.is_complete and (item.status >= 200 or item.is_last)]


def methods_of(sent: bytes) -> list[bytes]:
    return _METHOD.findall(sent)


def read_requests(data: bytes) -> Conversation:
    messages: list[Message] = []
    while b"\r\n\r\n" in data:
        message, data = _read_head(data)
        messages.append(message)
        if b"upgrade" in (message.get(b"connection") or b"").lower() or message.start.startswith(b"CONNECT "):
            message.is_complete = True
            return Conversation(messages, data)
        data = _read_body(message, data, is_close_delimited=False)
        if not message.is_complete:
            break
    return Conversation(messages, data)


def read_responses(data: bytes, methods: list[bytes], has_ended: bool) -> Conversation:
    """`methods` are those of the requests, in their order."""
    messages: list[Message] = []
    answered = 0
    while b"\r\n\r\n" in data and data.startswith(b"HTTP/"):
        message, data = _read_head(data)
        messages.append(message)
        status = message.status
        method = methods[answered] if answered < len(methods) else b""
        if 100 <= status < 200 and status != 101:
            message.is_complete = True
            continue
        answered += 1
        if status == 101 or (method == b"CONNECT" and status == 200):
            message.is_complete = True
            break
        if method == b"HEAD" or status in (204, 304):
            message.is_complete = True
            continue
        data = _read_body(message, data, is_close_delimited=True)
        message.is_complete = message.is_complete or (has_ended and _ends_at_close(message))
        if not message.is_complete:
            break
    return Conversation(messages, data)


def _read_head(data: bytes) -> tuple[Message, bytes]:
    head, _, rest = data.partition(b"\r\n\r\n")
    start, *lines = head.split(b"\r\n")
    return Message(start, [_split(line) for line in lines]), rest


def _split(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name, value.removeprefix(b" ")


def _ends_at_close(message: Message) -> bool:
    return message.get(b"content-length") is None and message.get(b"transfer-encoding") is None


def _read_body(message: Message, data: bytes, is_close_delimited: bool) -> bytes:
    """What is left of `data`."""
    if (message.get(b"transfer-encoding") or b"").lower() == b"chunked":
        return _read_chunks(message, data)
    length = message.get(b"content-length")
    if length is None:
        if is_close_delimited:
            message.body = data
            return b""
        message.is_complete = True
        return data
    size = int(length)
    message.body, rest = data[:size], data[size:]
    message.is_complete = len(message.body) == size
    return rest


def _read_chunks(message: Message, data: bytes) -> bytes:
    while b"\r\n" in data:
        line, _, rest = data.partition(b"\r\n")
        size = int(line, 16)
        if size == 0:
            return _read_trailers(message, rest)
        message.body += rest[:size]
        if len(rest) < size + 2:
            return b""
        data = rest[size + 2 :]
    return data


def _read_trailers(message: Message, data: bytes) -> bytes:
    if data.startswith(b"\r\n"):
        message.is_complete = True
        return data[2:]
    block, end, rest = data.partition(b"\r\n\r\n")
    if end:
        message.trailers = [_split(line) for line in block.split(b"\r\n")]
        message.is_complete = True
    return rest
