"""h2's connection, with what a proxy needs and h2 does not do.

The checks of field lists and lengths are ours (`heads`, `stream`): h2's look at each byte in Python, do not see what
trailers hide, and end the connection where RFC 9113 8.1.1 ends the stream.
"""

from collections.abc import Iterator
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, Event
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from h2.stream import H2Stream
from hyperframe.exceptions import InvalidPaddingError
from hyperframe.frame import Frame, GoAwayFrame

from pymesh.proxy.codec.http2.limits import (
    CONNECTION_WINDOW,
    HEADER_TABLE_SIZE,
    MAX_CONCURRENT_STREAMS,
    REMEMBERED_STREAMS,
    STREAM_WINDOW,
)
from pymesh.proxy.codec.message import MAX_HEAD_BYTES, MAX_HEADERS

_UNLIMITED = 2**31 - 1
_DEFAULT_WINDOW = 65_535  # RFC 9113 6.9.2: of the connection, at the beginning
_FRAME_HEADER = 9
_HEADERS = b"\x01"


class _UncheckedStream(H2Stream):
    """Leaves content-length to us."""

    def _initialize_content_length(self, headers: Any) -> None:
        pass

    def _track_content_length(self, length: int, end_stream: bool) -> None:
        pass


class Engine(H2Connection):
    """Goes on after GOAWAY with the streams that there are (RFC 9113 6.8); h2 would be dead."""

    MAX_CLOSED_STREAMS = REMEMBERED_STREAMS

    def __init__(self, is_client: bool) -> None:
        super().__init__(
            H2Configuration(
                client_side=is_client,
                validate_inbound_headers=False,
                normalize_inbound_headers=False,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        # More than a head may have, so that one too large can have an answer; what is beyond ends the connection.
        self.decoder.max_header_list_size = 2 * (MAX_HEAD_BYTES + 32 * MAX_HEADERS)
        self.local_settings = _own_settings(is_client, MAX_CONCURRENT_STREAMS)
        self.has_failed = False  # the peer broke the protocol: GOAWAY is on its way, and nothing else will be

    def start(self) -> None:
        """The preface of this side."""
        self.initiate_connection()
        self.increment_flow_control_window(CONNECTION_WINDOW - _DEFAULT_WINDOW)
        # h2 would end the connection of who opens more, and he may not have heard of it yet: Session refuses streams.
        self.local_settings = _own_settings(self.config.client_side, _UNLIMITED)

    def receive(self, data: bytes) -> Iterator[Event]:
        """As `receive_data`, but frame by frame: whoever hears of an event finds its stream in the state that it tells
        of, and not already reset by what came in the same read. `has_failed` afterwards: there was an error."""
        try:
            self.incoming_buffer.add_data(data)
            self.incoming_buffer.max_frame_size = self.max_inbound_frame_size
            for frame in self.incoming_buffer:
                yield from self._receive_frame(frame)
        except InvalidPaddingError:
            self._fail(ErrorCodes.PROTOCOL_ERROR)
        except ProtocolError as error:
            self._fail(error.error_code)

    @property
    def unsent_bytes(self) -> int:
        """What the next `data_to_send` has."""
        return len(self._data_to_send)

    @property
    def is_frame_overlong(self) -> bool:
        """One has begun that h2 would refuse only when all of it is there, 16 MB of it."""
        buffered = self.incoming_buffer._data
        return len(buffered) >= _FRAME_HEADER and int.from_bytes(buffered[:3], "big") > self.max_inbound_frame_size

    def is_stream_closed(self, stream_id: int) -> bool:
        """Both ends have ended, in frames that may still be handled: there is nothing left to reset."""
        stream = self.streams.get(stream_id)
        return stream is None or stream.closed

    @property
    def is_in_head(self) -> bool:
        """A field list has begun and is not complete."""
        buffer = self.incoming_buffer
        return bool(buffer._headers_buffer) or buffer._data[3:4] == _HEADERS

    def limit_header_table(self) -> None:
        """The peer has changed its settings: that it lets us keep much is no reason to do so."""
        if self.encoder.header_table_size > HEADER_TABLE_SIZE:
            self.encoder.header_table_size = HEADER_TABLE_SIZE

    def say_goaway(self, last_stream_id: int, code: int) -> None:
        frame = GoAwayFrame(0)
        frame.last_stream_id = last_stream_id
        frame.error_code = code
        self._prepare_for_sending([frame])

    def _fail(self, code: ErrorCodes) -> None:
        self.has_failed = True
        self._terminate_connection(code)

    def _begin_new_stream(self, stream_id: int, allowed_ids: Any) -> H2Stream:
        stream = super()._begin_new_stream(stream_id, allowed_ids)
        stream.__class__ = _UncheckedStream
        return stream

    def _receive_goaway_frame(self, frame: Any) -> tuple[list[Frame], list[Event]]:
        event = ConnectionTerminated()
        event.error_code = frame.error_code
        event.last_stream_id = frame.last_stream_id
        return [], [event]


def _own_settings(is_client: bool, max_streams: int) -> Settings:
    settings = {
        SettingCodes.ENABLE_PUSH: 0,
        SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
        SettingCodes.MAX_CONCURRENT_STREAMS: max_streams,
        SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEAD_BYTES,
    }
    return Settings(client=is_client, initial_values=settings)
