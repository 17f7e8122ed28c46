"""A client that speaks HTTP/2 by h2 alone, over a FakeTransport."""

from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    InformationalResponseReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)

GET = {":method": "GET", ":scheme": "http", ":authority": "shop", ":path": "/"}
POST = {**GET, ":method": "POST"}


class Answer:
    """What came on one stream."""

    def __init__(self) -> None:
        self.interim: list[dict[str, str]] = []
        self.headers: dict[str, str] = {}
        self.body = b""
        self.trailers: dict[str, str] = {}
        self.is_ended = False
        self.reset: int | None = None

    @property
    def status(self) -> int:
        return int(self.headers.get(":status", 0))


class _Client(H2Connection):
    """Goes on after GOAWAY, as clients other than h2 do."""

    def _receive_goaway_frame(self, frame: Any) -> tuple[list[Any], list[Event]]:
        event = ConnectionTerminated()
        event.last_stream_id, event.error_code = frame.last_stream_id, frame.error_code
        return [], [event]


class Http2Client:
    """`reads` False: it gives the server no more window than there is at the beginning."""

    def __init__(self, transport: Any, reads: bool = True) -> None:
        self.transport = transport
        self.reads = reads
        self.goaways: list[tuple[int, int]] = []
        self.answers: dict[int, Answer] = {}
        config = H2Configuration(client_side=True, header_encoding="utf-8", validate_outbound_headers=False)
        config.normalize_outbound_headers = False
        self.h2 = _Client(config)
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        if data := self.h2.data_to_send():
            self.transport.send(data)
        self.read()

    def read(self) -> None:
        """What the proxy has written."""
        if data := self.transport.take():
            for event in self.h2.receive_data(data):
                self._on_event(event)
            self.flush()

    def request(self, fields: dict[str, str] | list[tuple[str, str]], body: bytes | None = None) -> Answer:
        """A whole one in one write; without a body the head ends it."""
        answer = self._begin(fields, is_end=body is None)
        if body is not None:
            self.h2.send_data(self.id_of(answer), body, end_stream=True)
        self.flush()
        return answer

    def start(self, fields: dict[str, str] | list[tuple[str, str]], is_end: bool = False) -> Answer:
        answer = self._begin(fields, is_end)
        self.flush()
        return answer

    def send(self, answer: Answer, data: bytes, is_end: bool = False) -> None:
        self.h2.send_data(self.id_of(answer), data, end_stream=is_end)
        self.flush()

    def send_trailers(self, answer: Answer, fields: dict[str, str]) -> None:
        self.h2.send_headers(self.id_of(answer), list(fields.items()), end_stream=True)
        self.flush()

    def reset(self, answer: Answer) -> None:
        self.h2.reset_stream(self.id_of(answer), 8)
        self.flush()

    def id_of(self, answer: Answer) -> int:
        return next(key for key, value in self.answers.items() if value is answer)

    def read_more(self, answer: Answer, size: int) -> None:
        """Let the server send so much more."""
        self.h2.increment_flow_control_window(size)
        self.h2.increment_flow_control_window(size, self.id_of(answer))
        self.flush()

    def _begin(self, fields: dict[str, str] | list[tuple[str, str]], is_end: bool) -> Answer:
        stream_id = self.h2.get_next_available_stream_id()
        answer = self.answers[stream_id] = Answer()
        pairs = list(fields.items()) if isinstance(fields, dict) else fields
        self.h2.send_headers(stream_id, pairs, end_stream=is_end)
        return answer

    def _on_event(self, event: Event) -> None:
        if isinstance(event, ConnectionTerminated):
            self.goaways.append((int(event.last_stream_id or 0), int(event.error_code or 0)))
            return
        answer = self.answers.get(getattr(event, "stream_id", None) or 0, Answer())
        if isinstance(event, InformationalResponseReceived):
            answer.interim.append(dict(event.headers))
        elif isinstance(event, ResponseReceived):
            answer.headers = dict(event.headers)
        elif isinstance(event, DataReceived):
            answer.body += event.data
            if self.reads:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, TrailersReceived):
            answer.trailers = dict(event.headers)
        elif isinstance(event, StreamEnded):
            answer.is_ended = True
        elif isinstance(event, StreamReset):
            answer.reset = int(event.error_code)
