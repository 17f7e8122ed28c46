"""What was seen of a case, as lines of text that are the same for two proxies that do the same."""

import difflib
import fcntl
import hashlib
import re
import socket
import struct
from collections.abc import Sequence

from oracle.endpoints import Client, Server
from oracle.resources import original_name
from oracle.wire import Conversation, Message

# Values that are never twice the same.
_VARYING = {
    b"date": re.compile(rb"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"),
    b"x-request-id": re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    b"x-envoy-upstream-service-time": re.compile(rb"\d+"),
}
_GENERATED_COOKIE = re.compile(rb'(?<==")[0-9a-f]{16}(?=")')  # a hash of the connection's ends, ports included
_LONG = 400
_SIOCGIFADDR = 0x8915
_CLUSTER = re.compile(r"cluster=(\S+)")
_CODEC_DETAILS = re.compile(r"details=http1\.\S+")
_NUMBER = re.compile(r"-\d+$")


class Observation:
    """`summary` tells of each client the statuses and the end, and how many requests servers saw."""

    def __init__(self, lines: list[str], summary: str) -> None:
        self.lines = lines
        self.summary = summary

    @classmethod
    def of(cls, clients: Sequence[Client], servers: Sequence[Server], missed: Sequence[str]) -> "Observation":
        lines = [f"waited in vain: {step}" for step in missed]
        for i, client in enumerate(clients):
            lines += [f"client {i + 1}", *_conversation(client.conversation), f"  {client.fate}"]
        for blocks in sorted(_server(item) for item in servers if item.received):
            lines += blocks
        requests = sum(len(server.conversation.messages) for server in servers)
        return cls(lines, "; ".join([*map(_summary, clients), f"{requests} upstream"]))

    def add_log(self, lines: Sequence[str]) -> None:
        self.lines += ["log", *(f"  {_log_line(line)}" for line in lines)]

    def differences(self, other: "Observation") -> list[str]:
        """`-` of this and `+` of the other: what became of the case where that differs, else the lines of only one."""
        if self.summary != other.summary:
            return [f"- {self.summary}", f"+ {other.summary}"]
        found = difflib.ndiff(self.lines, other.lines)
        return [line[:2] + line[2:].strip() for line in found if line[0] in "-+"]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Observation) and self.lines == other.lines

    def __str__(self) -> str:
        return "\n".join(self.lines)


def _summary(client: Client) -> str:
    return " ".join([*(str(message.status) for message in client.conversation.messages), client.fate])


def _server(server: Server) -> list[str]:
    """Which of several endpoints it was is chance; whether a connection is closed or reset, the kernel's choice."""
    fate = "open" if server.fate == "open" else "gone"
    return [_NUMBER.sub("", server.label), *_conversation(server.conversation), f"  {fate}"]


def _conversation(conversation: Conversation) -> list[str]:
    lines = [line for message in conversation.messages for line in _message(message)]
    return [*lines, f"  then {_text(conversation.rest)}"] if conversation.rest else lines


def _message(message: Message) -> list[str]:
    """Of fields with the same name the order counts."""
    fields = sorted(message.fields, key=lambda pair: pair[0])
    lines = [f"  {_text(message.start)}", *(f"    {_field(*pair)}" for pair in fields)]
    if message.body:
        lines.append(f"    body {_text(message.body)}")
    lines += [f"    trailer {_field(*pair)}" for pair in sorted(message.trailers)]
    return lines if message.is_complete else [*lines, "    (incomplete)"]


def _own_addresses() -> frozenset[bytes]:
    """This machine's, which Envoy tells the servers of mirrors."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        found = {_address_of(sock, name) for _, name in socket.if_nameindex()}
    return frozenset(item for item in found if item and not item.startswith(b"127."))


def _address_of(sock: socket.socket, interface: str) -> bytes | None:
    try:
        found = fcntl.ioctl(sock.fileno(), _SIOCGIFADDR, struct.pack("256s", interface.encode()))
    except OSError:  # it has none
        return None
    return socket.inet_ntoa(found[20:24]).encode()


def _field(name: bytes, value: bytes) -> str:
    pattern = _VARYING.get(name)
    if pattern is not None and pattern.fullmatch(value):
        value = b"*"
    if name == b"x-forwarded-for" and value in _OWN_ADDRESSES:
        value = b"own"
    if name == b"set-cookie":
        value = _GENERATED_COOKIE.sub(b"*", value)
    return f"{_text(name)}: {_text(value)}"


def _text(data: bytes) -> str:
    if len(data) > _LONG:
        return f"{len(data)} bytes {hashlib.sha256(data).hexdigest()[:8]}"
    return data.decode("latin-1").encode("unicode_escape").decode("ascii")


def _log_line(line: str) -> str:
    """What exactly is wrong with a message is each parser's own word."""
    line = _CODEC_DETAILS.sub("details=http1", line)
    return _CLUSTER.sub(lambda match: f"cluster={original_name(match[1])}", line)


_OWN_ADDRESSES = _own_addresses()
