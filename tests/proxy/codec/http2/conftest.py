"""Both ends of a session, and who remembers what they tell."""

from typing import Any

import pytest

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.http2.heads import request_fields
from pymesh.proxy.codec.http2.session import Session
from pymesh.proxy.codec.http2.stream import SessionStream

Fields = list[tuple[bytes, bytes]]


class Told:
    """A receiver: what one stream has told, bodies joined."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []
        self.stream: Any = None

    def on_interim_head(self, head: Any) -> None:
        self.events.append(("interim", head.status))

    def on_head(self, head: Any) -> None:
        self.events.append(("head", head))

    def on_body(self, data: bytes) -> None:
        joined = self.events.pop()[1] + data if self.events and self.events[-1][0] == "body" else data
        self.events.append(("body", joined))

    def on_end(self, trailers: Any) -> None:
        self.events.append(("end", trailers and trailers.items()))

    def on_reset(self, code: int, is_malformed: bool) -> None:
        self.events.append(("reset", (int(code), is_malformed)))

    def on_sending_paused(self) -> None:
        self.events.append(("paused", None))

    def on_sending_resumed(self) -> None:
        self.events.append(("resumed", None))

    def of(self, kind: str) -> list[Any]:
        return [value for name, value in self.events if name == kind]

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.events]


class Sink:
    def __init__(self) -> None:
        self.requests: list[Told] = []
        self.goaways: list[tuple[int, int]] = []

    def on_request(self, stream: SessionStream, head: Any) -> None:
        told = stream.receiver = Told()
        told.stream = stream
        told.events.append(("head", head))
        self.requests.append(told)

    on_bad_request = on_request

    def on_goaway(self, last_stream_id: int, code: int) -> None:
        self.goaways.append((last_stream_id, code))


class Ends:
    """A client's session and a server's, and the wire between them."""

    def __init__(self) -> None:
        self.client_sink, self.server_sink = Sink(), Sink()
        self.client = Session(self.client_sink, is_client=True)
        self.server = Session(self.server_sink, is_client=False)
        self.client.start()
        self.server.start()
        self.exchange()

    def exchange(self) -> None:
        """Until neither has anything to say."""
        is_going_on = True
        while is_going_on:
            to_server, to_client = self.client.take(), self.server.take()
            assert self.server.receive(to_server) is None
            assert self.client.receive(to_client) is None
            is_going_on = bool(to_server or to_client)

    def ask(self, method: bytes = b"GET", is_end: bool = True, **headers: bytes) -> tuple[Told, Told]:
        """The client's receiver of a stream, and the server's."""
        told = Told()
        fields = {name.replace("_", "-").encode(): value for name, value in headers.items()}
        head = HeaderMap([(b"host", b"shop"), *fields.items()])
        told.stream = self.client.open_stream(told, request_fields(method, b"http", b"/a", head), is_end)
        self.exchange()
        return told, self.server_sink.requests[-1]


@pytest.fixture
def ends() -> Ends:
    return Ends()


@pytest.fixture
def sink() -> Sink:
    return Sink()
