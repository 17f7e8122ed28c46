"""What must hold of any bytes that a parser is given. An AssertionError is a find.

h11 is the judge: another parser, by other people, with its own reading of the RFC. Where both accept a message, they
must have understood the same.
"""

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import h11
from fuzz.codec_log import Message, messages, read_requests, read_response

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.joined_fields import JOINED
from pymesh.proxy.codec.message import MAX_CONTENT_LENGTH, MAX_HEADERS
from pymesh.proxy.codec.serializer import write_chunk, write_head, write_last_chunk

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_TARGET = re.compile(rb"(?:/[\x21\x22\x24-\x7e]*|\*|)")
_NEVER_IN_TRAILERS = {b"host", b"content-length", b"transfer-encoding", b"connection", b"authorization", b"set-cookie"}
_LARGEST = 1 << 17


def cut(data: bytes, positions: Iterable[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(position for position in positions if 0 < position < len(data))})
    return [data[start:end] for start, end in pairwise(edges)]


def check_requests(data: bytes, positions: Iterable[int]) -> None:
    whole, parts = read_requests(cut(data, ())), read_requests(cut(data, positions))
    assert (whole.events, whole.error) == (parts.events, parts.error), (whole, parts)
    for event in whole.events:
        if event[0] == "head":
            _check_request_head(*event[1:6])
    found = messages(whole.events)
    for message in found:
        _check_request_is_written_as_it_was_read(message)
        _check_trailers(message)
    _compare(found, _judge_requests(data))


def check_response(data: bytes, positions: Iterable[int], method: bytes = b"GET", wants_upgrade: bool = False) -> None:
    whole = read_response(cut(data, ()), method, wants_upgrade)
    parts = read_response(cut(data, positions), method, wants_upgrade)
    # Which error it is depends on where bytes behind a response are noticed; nobody is told.
    assert (whole.events, whole.error is None) == (parts.events, parts.error is None), (whole, parts)
    for event in whole.events:
        if event[0] in ("head", "interim"):
            assert (100 <= event[1] < 200) == (event[0] == "interim" or event[1] == 101)
            _check_fields(event[2])
    found = messages(whole.events)
    assert len(found) <= 1
    for message in found:
        _check_trailers(message)
        assert not message.body or (method != b"HEAD" and message.head[1] not in (204, 304))
        if isinstance(message.head[3], int) and method != b"HEAD" and message.head[1] != 304:
            assert len(message.body) == message.head[3]
    if method == b"GET" and not wants_upgrade:
        _compare_response(found, _judge_response(data))


# what every message has


def _check_request_head(method: bytes, path: bytes, fields: Any, framing: Any, upgrade: bytes) -> None:
    assert method.isupper()
    assert _TARGET.fullmatch(path) is not None
    assert bool(path) == (method != b"CONNECT")
    assert (upgrade == b"connect") == (method == b"CONNECT")
    _check_fields(fields)
    names = [name for name, _ in fields]
    assert names.count(b"host") == 1
    assert names.count(b"content-length") + names.count(b"transfer-encoding") <= 1
    assert (b"transfer-encoding" in names) == (framing == "chunked")
    if isinstance(framing, int):
        assert dict(fields)[b"content-length"] == b"%d" % framing
        assert 0 <= framing <= MAX_CONTENT_LENGTH


def _check_fields(fields: list[tuple[bytes, bytes]]) -> None:
    assert len(fields) <= MAX_HEADERS
    for name, value in fields:
        assert _TOKEN.fullmatch(name) is not None
        assert _FORBIDDEN.search(value) is None
        assert value == value.strip(b" \t")


def _check_trailers(message: Message) -> None:
    if message.trailers is not None:
        _check_fields(message.trailers)
        assert _NEVER_IN_TRAILERS.isdisjoint(name for name, _ in message.trailers)


def _check_request_is_written_as_it_was_read(message: Message) -> None:
    _, method, path, fields, framing, upgrade, *_ = message.head
    if upgrade or method == b"OPTIONS":
        return
    data = write_head(b"%b %b HTTP/1.1\r\n" % (method, path), HeaderMap(fields))
    trailers = None if message.trailers is None else HeaderMap(message.trailers)
    if framing == "chunked":
        data += (write_chunk(message.body) if message.body else b"") + write_last_chunk(trailers)
    else:
        data += message.body
    again = read_requests([data])
    assert again.error is None, (message, again)
    ignored_upgrade = dict(fields).get(b"upgrade") is not None
    assert ignored_upgrade or len(messages(again.events)) == 1
    if not ignored_upgrade:
        read = messages(again.events)[0]
        assert (read.head[:5], read.body, read.trailers) == (message.head[:5], message.body, message.trailers)


# the judge


def _judge_requests(data: bytes) -> list[Any]:
    """(method, target, fields, body) of those that h11 accepts, up to the first that it does not."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_LARGEST)
    connection.receive_data(data)
    found = []
    try:
        while type(request := connection.next_event()) is h11.Request:
            body = b""
            while type(event := connection.next_event()) is h11.Data:
                body += bytes(event.data)
            if type(event) is not h11.EndOfMessage:
                break
            found.append((request.method, request.target, list(request.headers), body))
            connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                break
            connection.start_next_cycle()
    except h11.ProtocolError:
        pass
    return found


def _judge_response(data: bytes) -> list[Any]:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LARGEST)
    connection.send(h11.Request(method="GET", target="/", headers=[("host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    connection.receive_data(b"")
    try:
        while type(response := connection.next_event()) is h11.InformationalResponse:
            pass
        if type(response) is not h11.Response:
            return []
        body = b""
        while type(event := connection.next_event()) is h11.Data:
            body += bytes(event.data)
        return [(response.status_code, list(response.headers), body)] if type(event) is h11.EndOfMessage else []
    except h11.ProtocolError:
        return []


def _compare(ours: list[Message], theirs: list[Any]) -> None:
    for message, (method, target, fields, body) in zip(ours, theirs, strict=False):
        _, our_method, path, our_fields, _, upgrade, *_ = message.head
        if upgrade:
            return  # what follows is no HTTP
        assert our_method == method
        if target.startswith(b"/"):
            assert path == target
            assert _comparable(our_fields) == _comparable(fields)
        assert message.body == body


def _compare_response(ours: list[Message], theirs: list[Any]) -> None:
    for message, (status, fields, body) in zip(ours, theirs, strict=False):
        assert message.head[1] == status
        assert _comparable(message.head[2]) == _comparable(fields)
        assert message.body == body


def _comparable(fields: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    lines: list[tuple[bytes, bytes]] = []
    joined: dict[bytes, bytes] = {}  # h11 leaves those lines apart
    for name, value in fields:
        if name in JOINED:
            joined[name] = joined[name] + b"," + value if name in joined else value
        else:
            lines.append((name, _canonical(name, value)))
    return sorted([*lines, *joined.items()])


def _canonical(name: bytes, value: bytes) -> bytes:
    """Our lengths are in their shortest form; h11 writes codings in lower case."""
    if name == b"content-length":
        return value.lstrip(b"0")
    return value.lower() if name == b"transfer-encoding" else value
