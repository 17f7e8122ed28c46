"""Smuggling attempts before real servers: each server sees the requests that the proxy believes to have forwarded, no
other, and whoever comes next on the same connection to the server gets his own answer."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

HOST = b"Host: a\r\n"
POST = b"POST /attack HTTP/1.1\r\n" + HOST
OLD_POST = b"POST /attack HTTP/1.0\r\n" + HOST + b"Connection: keep-alive\r\n"
GET = b"GET /attack HTTP/1.1\r\n" + HOST
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKED_SMUGGLED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)

# Spellings of Transfer-Encoding that somebody once took for chunked while somebody else did not.
SPELLINGS = {
    "plain": CHUNKED,
    "upper case": b"TRANSFER-ENCODING: CHUNKED\r\n",
    "a tab before": b"Transfer-Encoding:\tchunked\r\n",
    "blanks behind": b"Transfer-Encoding: chunked \t\r\n",
    "no blank": b"Transfer-Encoding:chunked\r\n",
    "a vertical tab": b"Transfer-Encoding: \x0bchunked\r\n",
    "a space before the colon": b"Transfer-Encoding : chunked\r\n",
    "a tab before the colon": b"Transfer-Encoding\t: chunked\r\n",
    "a space before the name": b" Transfer-Encoding: chunked\r\n",
    "folded": b"Transfer-Encoding:\r\n chunked\r\n",
    "folded name": b"Transfer-Encoding\r\n : chunked\r\n",
    "behind a bare LF": b"X: x\nTransfer-Encoding: chunked\r\n",
    "behind a bare CR": b"X: x\rTransfer-Encoding: chunked\r\n",
    "behind an escaped line's end": b"X: x%0d%0aTransfer-Encoding: chunked\r\n",
    "an underscore": b"Transfer_Encoding: chunked\r\n",
    "NUL in the name": b"Transfer-Encoding\x00: chunked\r\n",
    "NUL behind": b"Transfer-Encoding: chunked\x00\r\n",
    "xchunked": b"Transfer-Encoding: xchunked\r\n",
    "chunkedx": b"Transfer-Encoding: chunkedx\r\n",
    "quoted": b'Transfer-Encoding: "chunked"\r\n',
    "a parameter": b"Transfer-Encoding: chunked;q=1\r\n",
    "identity, chunked": b"Transfer-Encoding: identity, chunked\r\n",
    "chunked, identity": b"Transfer-Encoding: chunked, identity\r\n",
    "gzip, chunked": b"Transfer-Encoding: gzip, chunked\r\n",
    "a comma before": b"Transfer-Encoding: , chunked\r\n",
    "a comma behind": b"Transfer-Encoding: chunked,\r\n",
    "twice": CHUNKED + CHUNKED,
    "then identity": CHUNKED + b"Transfer-Encoding: identity\r\n",
    "after identity": b"Transfer-Encoding: identity\r\n" + CHUNKED,
    "nominated": b"Connection: transfer-encoding\r\n" + CHUNKED,
    "an accent": b"Transfer-Enc\xf6ding: chunked\r\n",
}

LENGTHS = {
    "twice": b"Content-Length: 3\r\nContent-Length: %d\r\n",
    "twice the same": b"Content-Length: %d\r\nContent-Length: %d\r\n",
    "a list": b"Content-Length: 3, %d\r\n",
    "a plus": b"Content-Length: +%d\r\n",
    "a minus": b"Content-Length: -%d\r\n",
    "zeros": b"Content-Length: 000%d\r\n",
    "octal": b"Content-Length: 0o%d\r\n",
    "blanks behind": b"Content-Length: %d \t\r\n",
    "a fraction": b"Content-Length: %d.0\r\n",
    "an exponent": b"Content-Length: %de0\r\n",
    "a space before the colon": b"Content-Length : %d\r\n",
    "folded": b"Content-Length:\r\n %d\r\n",
    "an underscore": b"Content_Length: %d\r\n",
    "nominated": b"Connection: content-length\r\nContent-Length: %d\r\n",
    "behind a bare LF": b"X: x\nContent-Length: %d\r\n",
}

BODIES = {
    "an extension with bare LF": b"2;\nxx\r\n%x\r\n0\r\n\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED) + 5, SMUGGLED),
    "an extension with bare CR": b"1;a\rb\r\nx\r\n0\r\n\r\n" + SMUGGLED,
    "a quoted line's end": b'1;a="\r\n\r\n"\r\nx\r\n0\r\n\r\n' + SMUGGLED,
    "extensions": b"1;a=b\r\nx\r\n0;c\r\n\r\n" + SMUGGLED,
    "zeros": b"0001\r\nx\r\n000\r\n\r\n" + SMUGGLED,
    "a size beyond 64 bits": b"10000000000000001\r\nx\r\n0\r\n\r\n" + SMUGGLED,
    "a size with 0x": b"0x1\r\nx\r\n0\r\n\r\n" + SMUGGLED,
    "a size with an underscore": b"0_1\r\nx\r\n0\r\n\r\n" + SMUGGLED,
    "a size with blanks": b"1 \r\nx\r\n0 \r\n\r\n" + SMUGGLED,
    "a negative size": b"-1\r\nx\r\n0\r\n\r\n" + SMUGGLED,
    "data that is too long": b"1\r\nxy\r\n0\r\n\r\n" + SMUGGLED,
    "data without a line's end": b"1\r\nx0\r\n\r\n" + SMUGGLED,
    "bare LF": b"1\nx\n0\n\n" + SMUGGLED,
    "a length in a trailer": b"0\r\nContent-Length: 5\r\n\r\n" + SMUGGLED,
    "chunks in a trailer": b"0\r\nTransfer-Encoding: chunked\r\n\r\n" + SMUGGLED,
    "Host in a trailer": b"1\r\nx\r\n0\r\nHost: b\r\n\r\n" + SMUGGLED,
    "a request in a trailer": b"0\r\nX: " + SMUGGLED,
    "a folded trailer": b"0\r\nX: 1\r\n 2\r\n\r\n" + SMUGGLED,
}

OTHERS = {
    "a pipelined request": GET + b"\r\n" + SMUGGLED,
    "a GET with a length": GET + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
    "a GET with chunks": GET + CHUNKED + b"\r\n" + CHUNKED_SMUGGLED,
    "a HEAD with a length": b"HEAD /attack HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED)
    + SMUGGLED,
    "a POST without a length": POST + b"\r\n" + SMUGGLED,
    "expected and there": POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
    "an upgrade with a body": POST
    + b"Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED)
    + SMUGGLED,
    "an upgrade and bytes behind it": GET + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n" + SMUGGLED,
    "h2c": GET + b"Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n" + SMUGGLED,
    "an upgrade to connect": GET + b"Connection: upgrade\r\nUpgrade: connect\r\n\r\n" + SMUGGLED,
    "HTTP/1.0 with chunks": b"POST /attack HTTP/1.0\r\n"
    + HOST
    + b"Connection: keep-alive\r\n"
    + CHUNKED
    + b"\r\n0\r\n\r\n"
    + SMUGGLED,
    "HTTP/1.0 that is kept": b"GET /attack HTTP/1.0\r\n" + HOST + b"Connection: keep-alive\r\n\r\n" + SMUGGLED,
    "HTTP/0.9": b"GET /attack\r\n\r\n" + SMUGGLED,
    "HTTP/2.0": b"GET /attack HTTP/2.0\r\n" + HOST + b"\r\n" + SMUGGLED,
    "another protocol": b"GET /attack RTSP/1.0\r\n" + HOST + b"\r\n" + SMUGGLED,
    "a space in the target": b"GET /attack HTTP/1.1\r\nHost: a\r\nX: /smuggled HTTP/1.1\r\n" + HOST + b"\r\n",
    "two targets": b"GET /attack /smuggled HTTP/1.1\r\n" + HOST + b"\r\n",
    "a tab in the target": b"GET /attack\t/smuggled HTTP/1.1\r\n" + HOST + b"\r\n",
    "an escaped line's end in the target": b"GET /attack%20HTTP/1.1%0d%0aX:y%0d%0a%0d%0a HTTP/1.1\r\n" + HOST + b"\r\n",
    "bare CR in the target": b"GET /attack\rX HTTP/1.1\r\n" + HOST + b"\r\n",
    "bare LF everywhere": b"POST /attack HTTP/1.1\nHost: a\nContent-Length: %d\n\n" % len(SMUGGLED) + SMUGGLED,
    "bare LF as the end of the head": POST + b"Content-Length: %d\r\n\n" % len(SMUGGLED) + SMUGGLED,
    "CR CR LF as the end of the head": GET + b"\r\r\n" + SMUGGLED,
    "a line of blanks": GET + b" \r\n" + SMUGGLED,
    "a field without a colon": GET + b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    "two Hosts": GET + b"Host: b\r\n\r\n" + SMUGGLED,
    "no Host": b"GET /attack HTTP/1.1\r\n\r\n" + SMUGGLED,
    "an absolute target and another Host": b"GET http://b/attack HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED,
    "an absolute target and two Hosts": b"GET http://b/attack HTTP/1.1\r\n" + HOST + b"Host: b\r\n\r\n" + SMUGGLED,
    "a path in Host": b"GET /attack HTTP/1.1\r\nHost: a/smuggled\r\n\r\n",
    "a line's end in Host": b"GET /attack HTTP/1.1\r\nHost: a\rX: y\r\n\r\n",
    "empty lines between": b"\r\n\r\n" + GET + b"\r\n\r\n\r\n" + SMUGGLED,
    "a close and more": GET + b"Connection: close\r\n\r\n" + SMUGGLED,
    "Host is nominated": GET + b"Connection: host\r\n\r\n" + SMUGGLED,
    "a large head": GET + b"X: " + b"x" * 62_000 + b"\r\n\r\n" + SMUGGLED,
    "an unknown method": b"SMUGGLE /attack HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED,
    "nonsense": b"\x16\x03\x01\x00\xff" * 20,
}

# Nothing comes back for them: the rest of the request is awaited.
UNFINISHED = {
    "a body that does not come": POST + b"Content-Length: 1000\r\n\r\n" + SMUGGLED,
    "chunks without an end": POST + CHUNKED + b"\r\n%x\r\n%b\r\n" % (len(SMUGGLED), SMUGGLED),
    "a chunk that does not come": POST + CHUNKED + b"\r\nffffffffffffffff\r\n" + SMUGGLED,
    "a head without an end": GET + b"X: y\r\n",
}


class Attack(NamedTuple):
    name: str
    data: bytes
    is_answered: bool = True


def attacks() -> Iterator[Attack]:
    for name, field in SPELLINGS.items():
        rest = b"0\r\n\r\n" + SMUGGLED
        yield Attack(f"CL.TE {name}", POST + b"Content-Length: %d\r\n" % len(rest) + field + b"\r\n" + rest)
        yield Attack(f"TE.CL {name}", POST + field + b"Content-Length: 4\r\n\r\n" + CHUNKED_SMUGGLED)
        yield Attack(f"TE.0 {name}", POST + field + b"\r\n" + rest)
    for name, field in LENGTHS.items():
        counted = field.replace(b"%d", b"%d" % len(SMUGGLED))
        yield Attack(f"length: {name}", POST + counted + b"\r\n" + SMUGGLED + SMUGGLED)
    for name, body in BODIES.items():
        yield Attack(f"chunks: {name}", POST + CHUNKED + b"\r\n" + body)
    yield from (Attack(name, data) for name, data in OTHERS.items())
    yield from (Attack(name, data, is_answered=False) for name, data in UNFINISHED.items())


ATTACKS = tuple(attacks())


async def open_and_send(port: int, data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    return reader, writer


async def wait_answer(reader: asyncio.StreamReader, name: str) -> None:
    """A head, or the end of the connection."""
    try:
        async with asyncio.timeout(5):
            await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionResetError):
        pass
    except TimeoutError:
        pytest.fail(f"{name}: no answer")


async def ask(port: int, path: bytes) -> bytes:
    """The body of the answer to an ordinary request on a new connection."""
    reader, writer = await open_and_send(port, b"GET " + path + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    async with asyncio.timeout(5):
        response = await reader.read()
    writer.close()
    assert response.startswith(b"HTTP/1.1 200 "), (path, response)
    body = response.partition(b"\r\n\r\n")[2]
    return body.split(b"\r\n")[1] if b"chunked" in response else body


async def wait_equal(proxy: Any, backend: Any) -> None:
    """What the server has answered is what the proxy had answered, by method, path and length of the body."""
    deadline = asyncio.get_running_loop().time() + 5
    while (seen := answered(backend.seen())) != (forwarded := answered(proxy.forwarded())):
        assert asyncio.get_running_loop().time() < deadline, (seen - forwarded, forwarded - seen)
        await asyncio.sleep(0.02)


def answered(requests: Any) -> Counter[Any]:
    return Counter(request[1:] for request in requests if request.status == 200)


async def test_a_server_sees_what_the_proxy_forwarded_and_nothing_else(proxy: Any, backend: Any) -> None:
    connections = []
    for number, attack in enumerate(ATTACKS):
        data = attack.data.replace(b"/attack", b"/attack/%d" % number)
        reader, writer = await open_and_send(proxy.port, data)
        connections.append(writer)
        if attack.is_answered:
            await wait_answer(reader, attack.name)
        path = b"/next/%d" % number
        assert await ask(proxy.port, path) == path, attack.name
    await wait_equal(proxy, backend)
    refused_by_server = [request for request in backend.seen() if request.status != 200]
    assert len(refused_by_server) <= proxy.given() - sum(answered(proxy.forwarded()).values())
    for writer in connections:
        writer.transport.abort()


def test_the_corpus_is_as_large_as_it_says() -> None:
    assert len(ATTACKS) > 150
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
