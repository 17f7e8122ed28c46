"""What ends a connection, and what it costs until then. Frames are hyperframe's, as h2 would not send them."""

from types import SimpleNamespace
from typing import Any

import pytest
from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.http2.flood import (
    EMPTY_FLOOD,
    MALFORMED_FLOOD,
    PRIORITY_FLOOD,
    SETTINGS_FLOOD,
    WINDOW_UPDATE_FLOOD,
)
from pymesh.proxy.codec.http2.limits import CONNECTION_WINDOW, HEADER_TABLE_SIZE
from pymesh.proxy.codec.http2.session import CODEC_ERROR, FRAME_TOO_LARGE, Session

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"a"), (b":path", b"/")]
GOAWAY = 7
FRAME = 16_384


class Peer:
    """A client that says whatever it likes."""

    def __init__(self, sink: Any) -> None:
        self.sink = sink
        self.server = Session(sink, is_client=False)
        self.server.start()
        self.server.receive(PREFACE + SettingsFrame(0).serialize())
        self._encoder = Encoder()

    def headers(self, stream_id: int, fields: Any = HEAD, flags: tuple[str, ...] = ("END_HEADERS",)) -> bytes:
        frame = HeadersFrame(stream_id, self._encoder.encode(fields), flags=flags)
        data: bytes = frame.serialize()
        return data

    def say(self, *frames: Frame | bytes) -> Any:
        return self.server.receive(b"".join(f if isinstance(f, bytes) else f.serialize() for f in frames))


@pytest.fixture
def peer(sink: Any) -> Peer:
    return Peer(sink)


def kinds_of(data: bytes) -> list[int]:
    kinds = []
    while data:
        kinds.append(data[3])
        data = data[9 + int.from_bytes(data[:3], "big") :]
    return kinds


def test_what_is_no_http_2_ends_the_connection(sink: Any) -> None:
    server = Session(sink, is_client=False)
    server.start()
    assert server.receive(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") is CODEC_ERROR
    assert server.receive(PREFACE) is CODEC_ERROR


def test_an_error_says_goaway(peer: Peer) -> None:
    assert peer.say(DataFrame(3, b"x")) is CODEC_ERROR  # of a stream that was never opened
    assert kinds_of(peer.server.take())[-1] == GOAWAY
    assert peer.server.take() == b""


def test_a_header_block_that_never_ends_ends_the_connection(peer: Peer) -> None:
    assert peer.say(peer.headers(1, flags=())) is None
    answers = [peer.say(ContinuationFrame(1, b"")) for _ in range(70)]
    assert CODEC_ERROR in answers


def test_a_header_bomb_is_not_unpacked(peer: Peer) -> None:
    """64 KB that are 4 MB: one entry of the dynamic table, named thousands of times."""
    block = Encoder().encode([*HEAD, (b"x", b"a" * 4000)]) + b"\xbe" * 10_000
    frames = [HeadersFrame(1, block[:16_000]), ContinuationFrame(1, block[16_000:], flags=["END_HEADERS"])]
    assert peer.say(*frames) is CODEC_ERROR
    assert peer.sink.requests == []


def test_a_frame_too_large_is_refused_before_it_is_there(peer: Peer) -> None:
    assert peer.say(b"\xff\xff\xff\x00\x00\x00\x00\x00\x01" + bytes(1000)) is FRAME_TOO_LARGE
    assert kinds_of(peer.server.take())[-1] == GOAWAY


def test_a_flood_of_empty_frames_ends_the_connection(peer: Peer) -> None:
    assert peer.say(peer.headers(1), DataFrame(1, b"")) is None
    assert peer.say(DataFrame(1, b"x"), DataFrame(1, b"")) is None
    assert peer.say(DataFrame(1, b"")) is EMPTY_FLOOD


def test_empty_frames_that_do_not_follow_each_other_are_no_flood(peer: Peer) -> None:
    end = ("END_HEADERS", "END_STREAM")
    for stream_id in range(1, 9, 2):
        assert peer.say(peer.headers(stream_id), DataFrame(stream_id, b"")) is None
    assert peer.say(peer.headers(1, [(b"x-sum", b"1")], end), DataFrame(3, b"")) is None


def test_empty_frames_of_several_responses_are_no_flood(ends: Any) -> None:
    """A server's, each of them between a head and trailers."""
    for _ in range(3):
        told, asked = ends.ask()
        asked.stream.send_head([(b":status", b"200")])
        ends.exchange()
        ends.server.engine.send_data(asked.stream.id, b"")
        ends.exchange()
        asked.stream.send_end(HeaderMap([(b"x-sum", b"1")]))
        ends.exchange()
        assert told.kinds[-1] == "end"


def test_a_flood_of_priorities_ends_the_connection(peer: Peer) -> None:
    assert peer.say(peer.headers(1), *[PriorityFrame(1) for _ in range(200)]) is None
    assert peer.say(PriorityFrame(1)) is PRIORITY_FLOOD


def test_a_flood_of_window_updates_ends_the_connection(peer: Peer) -> None:
    assert peer.say(peer.headers(1), *[WindowUpdateFrame(1, 1) for _ in range(7)]) is None
    assert peer.say(WindowUpdateFrame(1, 1)) is WINDOW_UPDATE_FLOOD


def test_a_flood_of_settings_ends_the_connection(peer: Peer) -> None:
    frames = [SettingsFrame(0, {SettingsFrame.HEADER_TABLE_SIZE: size}) for size in range(101)]
    assert peer.say(*frames) is SETTINGS_FLOOD


def test_settings_that_change_now_and_then_are_no_flood(peer: Peer) -> None:
    for i in range(150):
        assert peer.say(SettingsFrame(0, {SettingsFrame.INITIAL_WINDOW_SIZE: i}), peer.headers(1 + 2 * i)) is None


def test_the_peer_does_not_say_how_much_is_kept_of_what_is_sent(peer: Peer) -> None:
    peer.say(SettingsFrame(0, {SettingsFrame.HEADER_TABLE_SIZE: 2**30}))
    assert peer.server.engine.encoder.header_table_size == HEADER_TABLE_SIZE


def test_malformed_requests_are_reset_one_by_one_and_a_flood_of_them_ends_the_connection(peer: Peer) -> None:
    bad = [*HEAD, (b"connection", b"close")]
    good = peer.say(peer.headers(1, bad), peer.headers(3))
    assert good is None
    assert [told.stream.id for told in peer.sink.requests] == [3]
    assert peer.say(*[peer.headers(5 + 2 * i, bad) for i in range(100)]) is MALFORMED_FLOOD


def test_rapid_resets_leave_nothing_behind(peer: Peer) -> None:
    for i in range(2000):
        assert peer.say(peer.headers(1 + 2 * i), RstStreamFrame(1 + 2 * i)) is None
    assert not peer.server.streams
    assert len(peer.server.engine.streams) + len(peer.server.engine._closed_streams) < 400


def test_what_is_reset_in_the_same_read_can_still_be_answered_in_vain(peer: Peer) -> None:
    answered = []

    def answer(stream: Any, head: Any) -> None:
        stream.receiver = SimpleNamespace(on_reset=lambda code, is_malformed: answered.append(stream))
        stream.send_head([(b":status", b"404")])
        stream.send_end()

    peer.sink.on_request = answer
    good, malformed = peer.headers(1), peer.headers(3, [*HEAD, (b"te", b"gzip")])
    assert peer.say(good, RstStreamFrame(1), malformed, RstStreamFrame(3)) is None
    assert [stream.id for stream in answered] == [1]
    assert not peer.server.streams


def test_pings_are_answered(peer: Peer) -> None:
    peer.server.take()
    peer.say(PingFrame(0, b"12345678"))
    assert kinds_of(peer.server.take()) == [6]


def test_a_window_that_overflows_ends_the_connection(peer: Peer) -> None:
    assert peer.say(WindowUpdateFrame(0, 2**31 - 1)) is CODEC_ERROR


def test_data_beyond_the_window_ends_the_connection(peer: Peer) -> None:
    peer.say(peer.headers(1))
    peer.sink.requests[0].stream.hold()
    answers = [peer.say(DataFrame(1, bytes(16_384))) for _ in range(5)]
    assert answers == [None, None, None, None, CODEC_ERROR]


def test_a_body_longer_than_told_takes_nothing_from_the_window_of_the_others(peer: Peer) -> None:
    """The connection's would be used up by then, if what is refused were not given back."""
    frames, stream_id = CONNECTION_WINDOW // FRAME + 1, 1
    for _ in range(frames):
        peer.server.guard.malformed = 0  # or the flood of them would end the connection
        fields = [*HEAD, (b"content-length", b"5")]
        assert peer.say(peer.headers(stream_id, fields), DataFrame(stream_id, bytes(FRAME))) is None
        stream_id += 2
    assert peer.sink.requests[-1].of("reset") == [(1, True)]


def test_an_end_before_the_length_that_was_told_resets_the_stream_only(peer: Peer) -> None:
    fields = [*HEAD, (b"content-length", b"5")]
    assert peer.say(peer.headers(1, fields), DataFrame(1, b"abc", flags=["END_STREAM"]), peer.headers(3)) is None
    assert peer.sink.requests[0].of("reset") == [(1, True)]
    assert len(peer.sink.requests) == 2
