"""HTTP/2 for scripts: frames of a client as bytes, and messages out of the frames of a proxy."""

from hpack import Decoder, Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    RstStreamFrame,
    SettingsFrame,
)

from oracle.wire import Conversation, Message

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
START = PREFACE + SettingsFrame(0).serialize()

Fields = dict[str, str]


def ask(stream: int = 1, method: str = "GET", path: str = "/", is_end: bool = True, **fields: str) -> bytes:
    """The head of a request; `_` in names is `-`."""
    pseudo = {":method": method, ":scheme": "http", ":authority": "shop", ":path": path}
    return head(stream, {**pseudo, **{name.replace("_", "-"): value for name, value in fields.items()}}, is_end)


def head(stream: int, fields: Fields | list[tuple[str, str]], is_end: bool = True) -> bytes:
    """Without the dynamic table, so that heads do not depend on each other."""
    encoder = Encoder()
    encoder.header_table_size = 0
    pairs = list(fields.items()) if isinstance(fields, dict) else fields
    block = encoder.encode(pairs)
    flags = ["END_HEADERS", *(["END_STREAM"] if is_end else [])]
    pieces = [block[i : i + 16_000] for i in range(0, len(block), 16_000)]
    if len(pieces) == 1:
        return _bytes(HeadersFrame(stream, block, flags=flags))
    middle = [ContinuationFrame(stream, piece) for piece in pieces[1:-1]]
    last = ContinuationFrame(stream, pieces[-1], flags=["END_HEADERS"])
    return b"".join(map(_bytes, (HeadersFrame(stream, pieces[0], flags=flags[1:]), *middle, last)))


def body(data: bytes, stream: int = 1, is_end: bool = True) -> bytes:
    return _bytes(DataFrame(stream, data, flags=["END_STREAM"] if is_end else []))


def cancel(stream: int = 1) -> bytes:
    return _bytes(RstStreamFrame(stream, 8))


def _bytes(frame: Frame) -> bytes:
    data: bytes = frame.serialize()
    return data


def read_http2(data: bytes) -> Conversation:
    """A message for each response and for each reset, and in `rest` the error of a GOAWAY, if it says one. Settings,
    windows and the last stream that is told are each proxy's own."""
    decoder, messages, rest = Decoder(), [], b""
    open_streams: dict[int, Message] = {}
    while len(data) >= 9:
        frame, length = Frame.parse_frame_header(memoryview(data[:9]))
        if len(data) < 9 + length:
            break
        frame.parse_body(memoryview(data[9 : 9 + length]))
        data = data[9 + length :]
        if isinstance(frame, HeadersFrame):
            fields = decoder.decode(bytes(frame.data), raw=True)
            _read_fields(open_streams, messages, frame.stream_id, [(bytes(n), bytes(v)) for n, v in fields])
        elif isinstance(frame, DataFrame):
            open_streams[frame.stream_id].body += bytes(frame.data)
        elif isinstance(frame, RstStreamFrame):
            messages.append(Message(b"reset %d" % frame.error_code, [], is_complete=True))
        elif isinstance(frame, GoAwayFrame) and frame.error_code:
            rest = b"GOAWAY %d" % frame.error_code
        if "END_STREAM" in frame.flags and frame.stream_id in open_streams:
            open_streams[frame.stream_id].is_complete = True
    return Conversation(messages, rest)


def _read_fields(
    open_streams: dict[int, Message], messages: list[Message], stream_id: int, fields: list[tuple[bytes, bytes]]
) -> None:
    status = dict(fields).get(b":status")
    if status is None:
        open_streams[stream_id].trailers = fields
        return
    message = Message(b"HTTP/2 " + status, fields[1:])
    messages.append(message)
    if status.startswith(b"1"):
        message.is_complete = True
    else:
        open_streams[stream_id] = message
