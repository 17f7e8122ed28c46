"""What a TLS client says before anything is encrypted: SNI and ALPN of its ClientHello. Pure; bytes that are not TLS,
or not yet enough, are values and not errors.

RFC 8446 4.1.2 and 5.1, RFC 6066 3 (server_name), RFC 7301 3.1 (ALPN).
"""

from enum import Enum
from typing import NamedTuple

MAX_CLIENT_HELLO = 16 * 1024  # Envoy's tls_inspector: max_client_hello_size

_HANDSHAKE = 0x16
_CLIENT_HELLO = 0x01
_RECORD_HEADER = 5
_MESSAGE_HEADER = 4
_MAX_RECORD = 2**14 + 2048
_SERVER_NAME = 0
_HOST_NAME = 0
_ALPN = 16


class ClientHello(NamedTuple):
    """`server_name` is lower-case, "" where the client sent none."""

    server_name: str = ""
    application_protocols: tuple[str, ...] = ()


class NotClientHello(Enum):
    """INCOMPLETE: more bytes may still make it one. NOT_TLS: no further byte will."""

    INCOMPLETE = 0
    NOT_TLS = 1


INCOMPLETE = NotClientHello.INCOMPLETE
NOT_TLS = NotClientHello.NOT_TLS


class _MalformedError(Exception):
    """A length that points beyond its end; never leaves this module."""


def parse_client_hello(data: bytes) -> ClientHello | NotClientHello:
    """`data` is the beginning of a connection. Never fails.

    A ClientHello whose body is nonsense is NOT_TLS here: whoever is chosen for such a connection then says so.
    """
    message = _join_records(data)
    if isinstance(message, NotClientHello):
        return message
    try:
        return _parse_body(_Cursor(message))
    except _MalformedError:
        return NOT_TLS


def _join_records(data: bytes) -> bytes | NotClientHello:
    """The body of the first handshake message, which may be spread over several records."""
    payload = b""
    position = 0
    while True:
        header = data[position : position + _RECORD_HEADER]
        if (header and header[0] != _HANDSHAKE) or (len(header) > 1 and header[1] != 3):
            return NOT_TLS
        length = int.from_bytes(header[3:5], "big")
        if len(header) == _RECORD_HEADER and not 0 < length <= _MAX_RECORD:
            return NOT_TLS
        position += _RECORD_HEADER
        payload += data[position : position + length]
        position += length
        wanted = _MESSAGE_HEADER + int.from_bytes(payload[1:4], "big")
        if payload and (payload[0] != _CLIENT_HELLO or wanted > MAX_CLIENT_HELLO):
            return NOT_TLS
        if len(payload) >= _MESSAGE_HEADER and len(payload) >= wanted:
            return payload[_MESSAGE_HEADER:wanted]
        if position >= len(data):
            return INCOMPLETE


class _Cursor:
    """Reads the length-prefixed vectors that TLS is made of."""

    __slots__ = ("_data", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def __bool__(self) -> bool:
        return self._position < len(self._data)

    def take(self, count: int) -> bytes:
        end = self._position + count
        if end > len(self._data):
            raise _MalformedError
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def integer(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, length_size: int) -> "_Cursor":
        return _Cursor(self.take(self.integer(length_size)))

    def rest(self) -> bytes:
        return self._data[self._position :]


def _parse_body(body: _Cursor) -> ClientHello:
    body.take(2 + 32)  # legacy_version, random
    body.vector(1)  # legacy_session_id
    body.vector(2)  # cipher_suites
    body.vector(1)  # legacy_compression_methods
    server_name = ""
    protocols: tuple[str, ...] = ()
    extensions = body.vector(2) if body else body  # a client of old may send none
    while extensions:
        kind, content = extensions.integer(2), extensions.vector(2)
        if kind == _SERVER_NAME:
            server_name = _parse_server_name(content)
        elif kind == _ALPN:
            protocols = _parse_protocols(content)
    return ClientHello(server_name, protocols)


def _parse_server_name(content: _Cursor) -> str:
    names = content.vector(2)
    while names:
        kind, name = names.integer(1), names.vector(2)
        if kind == _HOST_NAME:
            return name.rest().decode("latin-1").lower()
    return ""


def _parse_protocols(content: _Cursor) -> tuple[str, ...]:
    names = content.vector(2)
    protocols: list[str] = []
    while names:
        protocols.append(names.vector(1).rest().decode("latin-1"))
    return tuple(protocols)
