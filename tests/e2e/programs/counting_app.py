"""An application that costs little and keeps accounts: `counting_app.py ACCOUNTS`, told by PORT where to listen.

It answers with the request's method, its `x-request-number` and the length of its body, so that a caller knows whose
answer he has; `/slow/0.5` after half a second. At its end it appends to ACCOUNTS how many POSTs it has done.
It ends at SIGTERM at once, whatever is in flight: who stops it has to see to that first.
"""

import asyncio
import os
import signal
import sys

import httptools
import uvloop


class Account:
    posts = 0


class Connection(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._parser = httptools.HttpRequestParser(self)
        self._begin()

    def _begin(self) -> None:
        self._path = b""
        self._number = b""
        self._length = 0

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    # httptools

    def on_url(self, url: bytes) -> None:
        self._path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"x-request-number":
            self._number = value

    def on_body(self, data: bytes) -> None:
        self._length += len(data)

    def on_message_complete(self) -> None:
        method = self._parser.get_method()
        Account.posts += method == b"POST"
        body = b"%b %b %d" % (method, self._number, self._length)
        delay = float(self._path.removeprefix(b"/slow/")) if self._path.startswith(b"/slow/") else 0.0
        self._begin()
        answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
        if delay:
            asyncio.get_running_loop().call_later(delay, self._transport.write, answer)
        else:
            self._transport.write(answer)


async def main(accounts: str) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    await loop.create_server(Connection, "127.0.0.1", int(os.environ["PORT"]))
    await stop.wait()
    with open(accounts, "a") as file:  # noqa: ASYNC230 (nothing else is to be done any more)
        file.write(f"{Account.posts}\n")


uvloop.run(main(sys.argv[1]))
