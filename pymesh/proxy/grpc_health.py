"""Asks gRPC's health service, by HTTP/2 without TLS, on a connection of its own.

https://github.com/grpc/grpc/blob/master/doc/health-checking.md. Import this only for who needs it: h2 is memory.
"""

import asyncio
from typing import Any

from google.protobuf.message import DecodeError

from pymesh.protobuf_messages import build_messages
from pymesh.proxy.codec.grpc import GRPC_STATUS, read_message, write_message
from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.http2.heads import request_fields
from pymesh.proxy.codec.http2.session import Session

_PATH = b"/grpc.health.v1.Health/Check"
_SERVING = 1
_READ_SIZE = 65_536
_LONGEST_ANSWER = 4096

_MESSAGES = build_messages(
    "pymesh.health", {"HealthCheckRequest": ("service 1 string",), "HealthCheckResponse": ("status 1 int32",)}
)


async def is_serving(host: str, port: int, service: str, seconds: float) -> bool:
    """Whether the server says in time that `service` is SERVING; empty: the server as a whole."""
    question = _MESSAGES["HealthCheckRequest"](service=service).SerializeToString()
    try:
        async with asyncio.timeout(seconds):
            answer = await _ask(host, port, question)
        return answer is not None and _MESSAGES["HealthCheckResponse"].FromString(answer).status == _SERVING
    except (OSError, DecodeError):  # TimeoutError is one
        return False


async def _ask(host: str, port: int, question: bytes) -> bytes | None:
    reader, writer = await asyncio.open_connection(host, port)
    call = _Call()
    session = Session(call, is_client=True)
    try:
        session.start()
        stream = session.open_stream(call, _head(host, port), False)
        stream.send_body(write_message(question))
        stream.send_end()
        while not call.is_done:
            writer.write(session.take())
            data = await reader.read(_READ_SIZE)
            if not data or session.receive(data) is not None:
                return None
        session.say_goaway(is_final=True)
        writer.write(session.take())
        return call.message
    finally:
        writer.close()


def _head(host: str, port: int) -> list[tuple[bytes, bytes]]:
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    content = [(b"content-type", b"application/grpc"), (b"te", b"trailers")]
    return request_fields(b"POST", b"http", _PATH, HeaderMap([(b"host", authority.encode()), *content]))


class _Call:
    """What comes of the one stream. A sink and a receiver of the session."""

    def __init__(self) -> None:
        self.is_done = False
        self.message: bytes | None = None
        self._body = b""

    def on_head(self, head: Any) -> None:
        pass

    def on_body(self, data: bytes) -> None:
        self._body += data
        self.is_done = len(self._body) > _LONGEST_ANSWER

    def on_end(self, trailers: HeaderMap | None) -> None:
        self.is_done = True
        if trailers is not None and trailers.get(GRPC_STATUS) == b"0":
            self.message = read_message(self._body)

    def on_reset(self, code: int, is_malformed: bool) -> None:
        self.is_done = True

    def on_interim_head(self, head: Any) -> None:
        pass

    def on_sending_paused(self) -> None:
        pass

    def on_sending_resumed(self) -> None:
        pass

    def on_goaway(self, last_stream_id: int, code: int) -> None:
        pass

    def on_request(self, stream: Any, head: Any) -> None:
        raise NotImplementedError

    def on_bad_request(self, stream: Any, error: Any) -> None:
        raise NotImplementedError
