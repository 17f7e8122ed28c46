"""One request and its response on an HTTP/2 connection: a Stream whose bytes leave by a SessionStream."""

from typing import Any

from pymesh.proxy.codec.grpc import GRPC_STATUS, grpc_status, is_grpc
from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.http2.heads import response_fields
from pymesh.proxy.codec.http2.stream import SessionStream
from pymesh.proxy.codec.message import CodecError, RequestHead, ResponseHead
from pymesh.proxy.downstream.stream import Stream

_CONTINUE = [(b":status", b"100")]

# RFC 9113 7
_INTERNAL_ERROR = 2


class Http2Stream(Stream):
    """`wire` is what the client sees of it; of that, it is the receiver. Its own calls are a bug's last stop: other
    streams share the connection."""

    __slots__ = ("_is_grpc", "wire")

    def __init__(self, connection: Any, head: RequestHead, wire: SessionStream) -> None:
        super().__init__(connection, head)
        self.wire = wire
        wire.receiver = self
        wire.is_half_closable = bool(head.upgrade)
        self._is_grpc = is_grpc(head.headers)
        if self._is_grpc:
            self.info.grpc_status = ""

    def open(self) -> None:
        try:
            self.start()
        except Exception:
            self.on_bug()

    # what the client sends

    def on_body(self, data: bytes) -> None:
        try:
            if self.upgrade:
                self.on_raw_data(data)
            else:
                self.on_request_body(data)
                self.connection.on_request_read(self)
        except Exception:
            self.on_bug()

    def on_end(self, trailers: HeaderMap | None) -> None:
        try:
            if self.upgrade:
                self._on_tunnel_end()
            elif self.has_request_body:
                self.on_request_end(trailers)
        except Exception:
            self.on_bug()

    def on_reset(self, code: int, is_malformed: bool) -> None:
        """By the client; or by us, because what it sent is no request."""
        try:
            if is_malformed:
                self.fail("http2.violation.of.messaging.rule", "DPE")
            else:
                self.connection.on_remote_reset(self)
                self.fail("http2.remote_reset", "DR")
        except Exception:
            self.on_bug()

    def on_sending_paused(self) -> None:
        if self.upstream is not None:
            self.upstream.pause_response()

    def on_sending_resumed(self) -> None:
        if self.upstream is not None:
            self.upstream.resume_response()

    def _on_tunnel_end(self) -> None:
        if not self.on_client_eof():
            self.on_client_gone()

    def pause_request(self) -> None:
        self.wire.hold()

    def resume_request(self) -> None:
        self.wire.release()
        self.connection.flush()

    # the response

    def _continue_expected(self) -> None:
        if (self.headers.get(b"expect") or b"").lower() == b"100-continue" and not self.is_request_complete:
            self.wire.send_interim_head(_CONTINUE)

    def send_interim_head(self, head: ResponseHead) -> None:
        if head.status != 100 or self._manager.config.proxy_100_continue:
            self.wire.send_interim_head(response_fields(head.status, head.headers))
            self.flush()

    def send_response_head(self, head: ResponseHead) -> None:
        self._response_head(head)

    def send_response(self, head: ResponseHead, body: bytes, trailers: HeaderMap | None) -> None:
        self._response_head(head)
        self.send_response_body(body)
        self.send_response_end(trailers)

    def _frame(self, status: int, headers: HeaderMap) -> None:
        """Frames say where a body ends."""
        if status == 204:
            headers.remove(b"content-length")

    def _write_head(self, status: int, headers: HeaderMap) -> bytes:
        """Nothing is left to be written by who asks."""
        self.wire.send_head(response_fields(status, headers))
        if self._is_grpc:
            self._note_grpc_status(headers)
        return b""

    def send_response_body(self, data: bytes) -> None:
        self.info.bytes_sent += len(data)
        self.wire.send_body(data)

    def send_response_end(self, trailers: HeaderMap | None) -> None:
        self.wire.send_end(trailers)
        if self._is_grpc:
            self._end_grpc(trailers)
        self._finish()

    def _note_grpc_status(self, fields: HeaderMap) -> None:
        status = fields.get(GRPC_STATUS, b"")
        if status.isdigit() and len(status) < 4:  # there are 17, and each other one would be a series of its own
            self.info.grpc_status = str(int(status))

    def _end_grpc(self, trailers: HeaderMap | None) -> None:
        """Where nobody has said a status, HTTP's stands for one. Envoy: Grpc::Common::getGrpcStatus."""
        if trailers is not None:
            self._note_grpc_status(trailers)
        if not self.info.grpc_status:
            self.info.grpc_status = str(grpc_status(self.info.response_code))

    def flush(self) -> None:
        self.connection.flush()

    def _write_local_reply(self, status: int, headers: HeaderMap, body: bytes) -> None:
        self._write_head(status, headers)
        if body and self.method != b"HEAD":
            self.send_response_body(body)
        self.wire.send_end()

    def reset(self, details: str, flag: str) -> None:
        if not self.is_done:
            self.wire.reset(_INTERNAL_ERROR)
            self.fail(details, flag)

    def fail(self, details: str, flag: str) -> None:
        """Nothing more can be said to the client."""
        if not self.is_done:
            self.info.add_flag(flag)
            self.info.response_code_details = details
            self._finish()

    def on_connection_error(self, error: CodecError) -> None:
        self.fail(error.details, "DPE")

    # tunnels

    def send_raw_data(self, data: bytes) -> None:
        self.send_response_body(data)
        self._on_activity()
        self.flush()

    def end_response(self) -> bool:
        self.wire.send_end()
        self.flush()
        return True


class DoneReceiver:
    """Of what a stream that is over has not sent yet; what still comes for it goes nowhere."""

    def on_body(self, data: bytes) -> None:
        pass

    def on_end(self, trailers: HeaderMap | None) -> None:
        pass

    def on_reset(self, code: int, is_malformed: bool) -> None:
        pass

    def on_sending_paused(self) -> None:
        pass

    def on_sending_resumed(self) -> None:
        pass


DONE = DoneReceiver()
