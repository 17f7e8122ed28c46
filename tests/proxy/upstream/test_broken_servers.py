"""Servers that answer nonsense, too much, too little or too early: what the client gets, and that it is its own.

Every answer carries the path of its request; a neighbour asks before and after on the same client's connection, and his
answers are compared with his paths.
"""

from typing import Any

import pytest

UPE, UC, NONE = ("UPE",), ("UC",), ()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


def get(path: bytes, method: bytes = b"GET") -> bytes:
    return method + b" " + path + b" HTTP/1.1\r\nHost: shop\r\n\r\n"


def path_of(request: bytes) -> bytes:
    return request.split(b" ")[1]


def answer(request: bytes) -> bytes:
    path = path_of(request)
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path)


def body_of(response: bytes) -> bytes:
    return response.rpartition(b"\r\n\r\n")[2]


async def ask(proxy: Any, client: Any, path: bytes) -> bytes:
    """The body of an honest server's answer."""
    client.send(get(path))
    server = await proxy.server()
    server.send(answer(server.take()))
    return body_of(client.take())


# what the server sends, and then: whether it closes; status (0: the client sees a cut response), flags
BROKEN = {
    "nothing": (b"", True, 503, UC),
    "nonsense": (b"nonsense\r\n\r\n", False, 502, UPE),
    "TLS": (b"\x15\x03\x03\x00\x02\x02\x28", False, 502, UPE),
    "half a status line": (b"HTTP/1.1 2", True, 502, UPE),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-Le", True, 502, UPE),
    "a huge head": (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000, False, 502, UPE),
    "too many fields": (b"HTTP/1.1 200 OK\r\n" + b"x: 1\r\n" * 101 + b"\r\n", False, 502, UPE),
    "two lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nhi", False, 502, UPE),
    "a length and chunks": (HEAD[:-2] + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", False, 502, UPE),
    "a 204 with a length": (b"HTTP/1.1 204 X\r\nContent-Length: 5\r\n\r\nabcde", False, 502, UPE),
    "101 unasked": (b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nraw", False, 502, UPE),
    "status 000": (b"HTTP/1.1 000 X\r\n\r\n", False, 502, UPE),
    "interim responses without end": (b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, False, 502, UPE),
    "an interim response only": (b"HTTP/1.1 100 Continue\r\n\r\n", True, 503, UC),
    "half an interim response": (b"HTTP/1.1 100 Continue\r\nX: ", True, 502, UPE),
    "a head without its body": (HEAD, True, 0, UPE),
    "half a body": (HEAD + b"ab", True, 0, UPE),
    "half a chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", True, 0, UPE),
    "a broken chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", False, 0, UPE),
    "a body that is too long": (HEAD + b"abcdeEVIL", False, 200, NONE),
    "two responses": (HEAD + b"abcde" + HEAD + b"EVIL!", False, 200, NONE),
    "a response and half of one": (HEAD + b"abcde" + b"HTTP/1.1 200 OK\r\nContent-Le", False, 200, NONE),
    "a response and one byte": (HEAD + b"abcdeH", False, 200, NONE),
    "a 204 with a body": (b"HTTP/1.1 204 X\r\n\r\nEVIL", False, 204, NONE),
    "a 304 with a body": (b"HTTP/1.1 304 X\r\nContent-Length: 4\r\n\r\nEVIL", False, 304, NONE),
    "chunks and more": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nEVIL", False, 200, NONE),
}


@pytest.mark.parametrize(("data", "closes", "status", "flags"), BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("slowly", [False, True], ids=["whole", "byte by byte"])
@pytest.mark.parametrize("end", ["hang_up", "reset"])
async def test_a_broken_answer_reaches_only_who_asked(
    proxy: Any, data: bytes, closes: bool, status: int, flags: tuple[str, ...], slowly: bool, end: str
) -> None:
    client, neighbour = proxy.connect(), proxy.connect()
    assert await ask(proxy, neighbour, b"/before") == b"/before"
    client.send(b"POST /victim HTTP/1.1\r\nHost: shop\r\nContent-Length: 1\r\n\r\nx")  # which is not sent again
    server = await proxy.server()
    assert path_of(server.take()) == b"/victim"
    if data:
        (server.send_slowly if slowly else server.send)(data)
    if closes:
        getattr(server, end)()
    await proxy.settle()
    response = client.take()
    assert proxy.info.response_flags == flags
    assert response.startswith(b"HTTP/1.1 %d " % (status or 200))
    assert b"EVIL" not in response
    assert client.is_open == bool(status)
    assert not server.is_open
    for path in (b"/after/1", b"/after/2"):
        assert await ask(proxy, neighbour, path) == path
    if status:
        assert await ask(proxy, client, b"/again") == b"/again"


@pytest.mark.parametrize(
    "extra", [b"EVIL", b"\r\n", b"5\r\nhello\r\n0\r\n\r\n", HEAD + b"EVIL!", b"HTTP/1.1 408 Request Timeout\r\n\r\n"]
)
async def test_what_comes_on_an_idle_connection_ends_it(proxy: Any, extra: bytes) -> None:
    client = proxy.connect()
    assert await ask(proxy, client, b"/1") == b"/1"
    server = proxy.servers[0]
    server.send(extra)
    await proxy.settle()
    assert not server.is_open
    assert client.received == b""
    assert await ask(proxy, client, b"/2") == b"/2"
    assert len(proxy.servers) == 2


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
    ids=["a length", "chunks", "no framing"],
)
@pytest.mark.parametrize("is_late", [False, True])
async def test_a_body_behind_a_response_to_head_is_nobodys(proxy: Any, head: bytes, is_late: bool) -> None:
    client = proxy.connect()
    client.send(get(b"/head", b"HEAD"))
    server = await proxy.server()
    server.take()
    if is_late:
        server.send(head)
        await proxy.settle()
        if server.is_open:
            server.send(b"5\r\nEVIL!\r\n0\r\n\r\n")
    else:
        server.send(head + b"EVIL!")
    await proxy.settle()
    assert b"EVIL" not in client.take()
    assert not server.is_open
    assert await ask(proxy, client, b"/next") == b"/next"


async def test_pipelined_requests_around_a_broken_answer_get_their_own(proxy: Any) -> None:
    client = proxy.connect()
    client.send(get(b"/1") + get(b"/2") + get(b"/3"))
    server = await proxy.server()
    server.send(answer(server.take()) + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL")
    server = await proxy.server()
    server.send(b"HTTP/1.1 2")
    server.take()
    server.hang_up()
    server = await proxy.server()
    server.send(answer(server.take()))
    responses = client.received.split(b"HTTP/1.1 ")[1:]
    assert [response[:3] for response in responses] == [b"200", b"502", b"200"]
    assert [body_of(responses[0]), body_of(responses[2])] == [b"/1", b"/3"]
    assert b"EVIL" not in client.received


async def test_a_server_that_announces_its_close_in_a_trailer_is_not_asked_again(proxy: Any) -> None:
    client = proxy.connect()
    client.send(get(b"/1"))
    server = await proxy.server()
    server.take()
    server.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nConnection: close\r\n\r\n")
    client.take()
    assert await ask(proxy, client, b"/2") == b"/2"
    assert len(proxy.servers) == 2


async def test_an_answer_before_the_request_is_complete_ends_its_connection(proxy: Any) -> None:
    client = proxy.connect()
    client.send(b"POST /1 HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\n\r\nab")
    server = await proxy.server()
    server.send(answer(server.take()))
    assert body_of(client.take()) == b"/1"
    await proxy.settle()
    assert not server.is_open
    other = proxy.connect()
    assert await ask(proxy, other, b"/2") == b"/2"


async def test_a_body_without_a_length_that_a_reset_ends_is_not_complete(proxy: Any) -> None:
    client = proxy.connect()
    client.send(get(b"/1"))
    server = await proxy.server()
    server.send(b"HTTP/1.1 200 OK\r\n\r\nabc")
    server.reset()
    assert not client.received.endswith(b"0\r\n\r\n")
    assert not client.is_open
    assert proxy.info.response_flags == UPE
