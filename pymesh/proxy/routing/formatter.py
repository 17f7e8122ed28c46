"""Envoy's command operators in header values: `%DOWNSTREAM_REMOTE_ADDRESS%` and the few others of OPERATORS.

https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#command-operators
"""

import re
from collections.abc import Callable
from typing import Protocol


class HeaderSource(Protocol):
    def get(self, name: bytes) -> bytes | None: ...


class FormatContext(Protocol):
    """What the operators read; telemetry's StreamInfo is one. Addresses are `host:port` text."""

    @property
    def downstream_remote_address(self) -> str: ...
    @property
    def downstream_local_address(self) -> str: ...
    @property
    def downstream_principal(self) -> str: ...
    @property
    def requested_server_name(self) -> str: ...
    @property
    def protocol(self) -> bytes: ...
    @property
    def route_name(self) -> str: ...
    @property
    def upstream_cluster(self) -> str: ...
    @property
    def response_code(self) -> int: ...
    @property
    def response_code_details(self) -> str: ...
    @property
    def request_headers(self) -> HeaderSource | None: ...
    @property
    def response_headers(self) -> HeaderSource | None: ...


Formatter = Callable[[FormatContext], bytes]


def _text(read: Callable[[FormatContext], str]) -> Formatter:
    return lambda info: read(info).encode()


OPERATORS: dict[str, Formatter] = {
    "DOWNSTREAM_REMOTE_ADDRESS": _text(lambda info: info.downstream_remote_address),
    "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT": _text(lambda info: _host(info.downstream_remote_address)),
    "DOWNSTREAM_LOCAL_ADDRESS": _text(lambda info: info.downstream_local_address),
    "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT": _text(lambda info: _host(info.downstream_local_address)),
    "DOWNSTREAM_LOCAL_PORT": _text(lambda info: info.downstream_local_address.rpartition(":")[2]),
    "DOWNSTREAM_PEER_URI_SAN": _text(lambda info: info.downstream_principal),
    "REQUESTED_SERVER_NAME": _text(lambda info: info.requested_server_name),
    "PROTOCOL": lambda info: bytes(info.protocol),
    "ROUTE_NAME": _text(lambda info: info.route_name),
    "UPSTREAM_CLUSTER": _text(lambda info: info.upstream_cluster),
    "RESPONSE_CODE": lambda info: b"%d" % info.response_code,
    "RESPONSE_CODE_DETAILS": _text(lambda info: info.response_code_details),
}

# %%, %NAME%, %NAME(argument)% or %NAME(argument):length%; a lone % matches last and is an error.
_OPERATOR = re.compile(r"%%|%([A-Z_]+)(?:\(([^)]*)\)(?::(\d+))?)?%|%")
_HEADER_OPERATORS = ("REQ", "RESP")


def compile_format(text: str) -> bytes | Formatter:
    """The ready-made bytes where `text` has no operator, else what formats it. An absent value is empty.

    Raises ValueError for an operator that this proxy does not support.
    """
    pieces: list[bytes | Formatter] = []
    position = 0
    for match in _OPERATOR.finditer(text):
        pieces += (text[position : match.start()].encode(), _compile_operator(match))
        position = match.end()
    pieces.append(text[position:].encode())
    if all(isinstance(piece, bytes) for piece in pieces):
        return b"".join(piece for piece in pieces if isinstance(piece, bytes))
    used = tuple(piece for piece in pieces if piece != b"")
    return lambda info: b"".join([piece if isinstance(piece, bytes) else piece(info) for piece in used])


def _compile_operator(match: re.Match[str]) -> bytes | Formatter:
    name, argument = match[1], match[2]
    if match[0] == "%%":
        return b"%"
    if name in _HEADER_OPERATORS and argument:
        return _compile_header(name == "REQ", argument, int(match[3]) if match[3] else None)
    if name in OPERATORS and argument is None:
        return OPERATORS[name]
    raise ValueError(f"{match[0]!r} is not an operator of this proxy; a plain percent sign is written %%")


def _compile_header(is_request: bool, argument: str, length: int | None) -> Formatter:
    """`X?Y`: header X, or Y where X is absent."""
    names = tuple(_header_name(name) for name in argument.split("?"))

    def read(info: FormatContext) -> bytes:
        headers = info.request_headers if is_request else info.response_headers
        for name in names:
            value = None if headers is None else headers.get(name)
            if value is not None:
                return value[:length]
        return b""

    return read


def _header_name(name: str) -> bytes:
    if name.startswith(":") and name.lower() != ":authority":
        raise ValueError(f"{name} cannot be read here")
    return b"host" if name.lower() == ":authority" else name.lower().encode()


def _host(address: str) -> str:
    return address.rpartition(":")[0].strip("[]")
