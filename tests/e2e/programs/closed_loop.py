"""Clients that saturate: `closed_loop.py ADDRESS HOST CLIENTS [stay]`.

Each client sends its next request, in turn a GET and a POST, as soon as it has the answer, on a connection that it
keeps. A client whose connection was closed is done; with `stay` it makes another one, until none is accepted any more.
It prints a line once 1,000 requests are answered, and a JSON object at the end: `answered`, `lost` (what became of
those that got no answer although their connection had been made: how often).
"""

import asyncio
import json
import sys
from collections import Counter
from typing import ClassVar

import httptools
import uvloop

BODY = b"x" * 1000


class Client(asyncio.Protocol):
    answered = 0
    lost: ClassVar[Counter[str]] = Counter()

    def __init__(self, host: bytes) -> None:
        self.host = host
        self.gone = asyncio.get_running_loop().create_future()
        self.count = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.parser = httptools.HttpResponseParser(self)
        self.send()

    def send(self) -> None:
        self.is_waiting = True
        self.count += 1
        if self.count % 2:
            self.transport.write(b"GET / HTTP/1.1\r\nhost: %b\r\n\r\n" % self.host)
        else:
            head = b"POST / HTTP/1.1\r\nhost: %b\r\ncontent-length: %d\r\n\r\n"
            self.transport.write(head % (self.host, len(BODY)) + BODY)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        self.is_waiting = False
        if self.parser.get_status_code() != 200:
            Client.lost[f"status {self.parser.get_status_code()}"] += 1
        Client.answered += 1
        if Client.answered == 1000:
            print("answered", flush=True)
        if self.parser.should_keep_alive():
            self.send()
        else:
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if self.is_waiting:
            Client.lost[f"{error!r} at request {self.count} of the connection"] += 1
        if not self.gone.done():
            self.gone.set_result(None)


async def call(address: list[str], host: bytes, stays: bool) -> None:
    loop = asyncio.get_running_loop()
    while True:
        try:
            _, client = await loop.create_connection(lambda: Client(host), *address)
        except OSError:
            return
        await client.gone
        if not stays:
            return


async def main(address: str, host: str, clients: str, *stay: str) -> None:
    await asyncio.gather(*(call(address.rsplit(":", 1), host.encode(), bool(stay)) for _ in range(int(clients))))
    print(json.dumps({"answered": Client.answered, "lost": dict(Client.lost)}))


uvloop.run(main(*sys.argv[1:]))
