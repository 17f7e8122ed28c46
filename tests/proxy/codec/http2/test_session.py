from typing import Any

from h2.settings import SettingCodes

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.http2.heads import response_fields
from pymesh.proxy.codec.http2.limits import (
    CONNECTION_WINDOW,
    MAX_AT_ONCE,
    MAX_CONCURRENT_STREAMS,
    SEND_BUFFER,
    STREAM_WINDOW,
)

OK = response_fields(200, HeaderMap([(b"x-a", b"1")]))
FRAME = 16_384
NO_ERROR, CANCEL, REFUSED_STREAM, PROTOCOL_ERROR = 0, 8, 7, 1


def test_a_request_without_a_body_is_a_head_and_an_end(ends: Any) -> None:
    _, asked = ends.ask(x_a=b"1")
    head = asked.of("head")[0]
    assert asked.kinds == ["head", "end"]
    assert (head.method, head.scheme, head.path, head.version) == (b"GET", b"http", b"/a", b"HTTP/2")
    assert head.headers.items() == [(b"host", b"shop"), (b"x-a", b"1")]
    assert not head.has_body


def test_a_body_comes_before_its_trailers(ends: Any) -> None:
    told, asked = ends.ask(b"POST", is_end=False)
    told.stream.send_body(b"ab")
    told.stream.send_body(b"c")
    told.stream.send_end(HeaderMap([(b"x-sum", b"1")]))
    ends.exchange()
    assert asked.of("head")[0].is_chunked
    assert asked.events[1:] == [("body", b"abc"), ("end", [(b"x-sum", b"1")])]


def test_a_response_comes_with_interim_heads_a_body_and_trailers(ends: Any) -> None:
    told, asked = ends.ask()
    asked.stream.send_interim_head(response_fields(103, HeaderMap([(b"link", b"</a>")])))
    asked.stream.send_head(OK)
    asked.stream.send_body(b"hello")
    asked.stream.send_end(HeaderMap([(b"grpc-status", b"0")]))
    ends.exchange()
    assert told.kinds == ["interim", "head", "body", "end"]
    assert told.of("head")[0].status == 200
    assert told.of("end") == [[(b"grpc-status", b"0")]]
    assert not ends.client.streams
    assert not ends.server.streams


def test_a_head_without_a_body_ends_its_stream_itself(ends: Any) -> None:
    _, asked = ends.ask()
    asked.stream.send_head(response_fields(204, HeaderMap()))
    asked.stream.send_end()
    assert ends.server.take() == b"\x00\x00\x01\x01\x05\x00\x00\x00\x01\x89"


def test_a_tunnel_may_end_on_one_side_and_go_on_on_the_other(ends: Any) -> None:
    told, asked = ends.ask(b"POST", is_end=False)
    asked.stream.is_half_closable = True
    asked.stream.send_head(OK)
    asked.stream.send_end()
    ends.exchange()
    told.stream.send_body(b"more")
    ends.exchange()
    assert asked.of("body") == [b"more"]
    asked.stream.finish()
    ends.exchange()
    assert told.events[-1] == ("reset", (NO_ERROR, False))


def test_a_small_body_and_its_end_are_one_frame(ends: Any) -> None:
    _, asked = ends.ask()
    asked.stream.send_head(OK)
    asked.stream.send_body(b"a")
    asked.stream.send_body(b"b")
    asked.stream.send_end()
    assert ends.server.take().endswith(b"\x00\x00\x02\x00\x01\x00\x00\x00\x01ab")


def test_streams_take_turns(ends: Any) -> None:
    first, asked_first = ends.ask()
    second, asked_second = ends.ask()
    asked_first.stream.send_head(OK)
    asked_second.stream.send_head(OK)
    asked_first.stream.send_body(bytes(3 * 16384))
    asked_second.stream.send_body(b"short")
    taken = ends.server.take()
    assert taken.index(b"short") < 2 * 16384
    assert ends.client.receive(taken) is None
    assert (len(first.of("body")[0]), second.of("body")) == (3 * 16384, [b"short"])


def test_one_write_has_so_much_and_the_next_goes_on_with_the_others(ends: Any) -> None:
    ends.client.engine.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 2**20})
    ends.exchange()
    asked = [ends.ask()[1] for _ in range(30)]
    for told in asked:
        told.stream.send_head(OK)
        told.stream.send_body(bytes(4 * FRAME))
        told.stream.send_end()
    sizes = []
    while data := ends.server.take():
        sizes.append(len(data))
        ends.client.receive(data)
        if len(sizes) == 2:  # each of them has had a turn
            assert all(told.stream.pending_bytes < 4 * FRAME for told in asked)
    assert max(sizes) < MAX_AT_ONCE + 2 * FRAME
    assert sum(sizes) > 30 * 4 * FRAME
    assert not ends.server.streams


def test_who_sends_more_than_the_peer_reads_is_stopped_and_goes_on_later(ends: Any) -> None:
    told, asked = ends.ask()
    told.stream.hold()
    asked.stream.send_head(OK)
    asked.stream.send_body(bytes(STREAM_WINDOW))
    asked.stream.send_body(bytes(SEND_BUFFER + 1))
    ends.exchange()
    assert asked.kinds[-1] == "paused"
    assert len(told.of("body")[0]) == STREAM_WINDOW  # what was allowed when it was held, and not a byte more
    told.stream.release()
    ends.exchange()
    assert asked.kinds[-1] == "resumed"
    assert len(told.of("body")[0]) == STREAM_WINDOW + SEND_BUFFER + 1


def test_streams_that_nobody_reads_leave_the_others_their_window(ends: Any) -> None:
    pairs = [ends.ask() for _ in range(MAX_CONCURRENT_STREAMS)]
    for told, asked in pairs[:-1]:
        told.stream.hold()
        asked.stream.send_head(OK)
        asked.stream.send_body(bytes(2 * STREAM_WINDOW))
    ends.exchange()
    told, asked = pairs[-1]
    asked.stream.send_head(OK)
    asked.stream.send_body(bytes(3 * STREAM_WINDOW))
    ends.exchange()
    assert len(told.of("body")[0]) == 3 * STREAM_WINDOW


def test_the_window_of_a_held_stream_comes_back_when_it_is_reset(ends: Any) -> None:
    for _ in range(CONNECTION_WINDOW // STREAM_WINDOW + 10):
        told, asked = ends.ask()
        told.stream.hold()
        asked.stream.send_head(OK)
        asked.stream.send_body(bytes(STREAM_WINDOW))
        ends.exchange()
        told.stream.reset(CANCEL)
        ends.exchange()
    assert len(told.of("body")[0]) == STREAM_WINDOW


def test_responses_wait_while_the_transport_takes_no_more(ends: Any) -> None:
    told, asked = ends.ask()
    ends.server.pause()
    asked.stream.send_head(OK)
    asked.stream.send_body(b"late")
    ends.exchange()
    assert told.kinds == []
    ends.server.resume()
    ends.exchange()
    assert told.of("body") == [b"late"]


def test_a_reset_reaches_the_other_side(ends: Any) -> None:
    told, asked = ends.ask()
    told.stream.reset(CANCEL)
    ends.exchange()
    assert asked.events[-1] == ("reset", (CANCEL, False))
    asked.stream.send_head(OK)  # late, and without effect
    ends.exchange()
    assert told.events == []


def test_an_answer_that_does_not_wait_for_the_request_ends_it(ends: Any) -> None:
    told, asked = ends.ask(b"POST", is_end=False)
    asked.stream.send_head(OK)
    asked.stream.send_end()
    ends.exchange()
    assert told.kinds == ["head", "end", "reset"]
    assert told.of("reset") == [(NO_ERROR, False)]
    assert not ends.server.streams


def test_a_stream_too_many_is_refused_and_the_others_go_on(ends: Any) -> None:
    pairs = [ends.ask() for _ in range(MAX_CONCURRENT_STREAMS)]
    assert not ends.client.can_open
    ends.client.engine.remote_settings.max_concurrent_streams = MAX_CONCURRENT_STREAMS + 1  # it was not told yet
    ends.client.engine.remote_settings.acknowledge()
    told, _ = ends.ask()
    assert told.of("reset") == [(REFUSED_STREAM, False)]
    pairs[0][1].stream.send_head(OK)
    pairs[0][1].stream.send_end()
    ends.exchange()
    assert pairs[0][0].kinds == ["head", "end"]


def test_after_a_goaway_streams_end_and_new_ones_are_refused(ends: Any) -> None:
    told, asked = ends.ask()
    ends.server.say_goaway(is_final=False)
    ends.exchange()
    assert not ends.client.can_open
    assert ends.client_sink.goaways == [(2**31 - 1, NO_ERROR)]
    ends.server.say_goaway(is_final=True)
    late, _ = ends.ask()
    assert ends.client_sink.goaways[-1] == (1, NO_ERROR)
    assert late.of("reset") == [(REFUSED_STREAM, False)]
    asked.stream.send_head(OK)
    asked.stream.send_body(b"still")
    asked.stream.send_end()
    ends.exchange()
    assert told.kinds == ["head", "body", "end"]


def test_an_answer_to_head_may_tell_of_a_body_and_have_none(ends: Any) -> None:
    told, asked = ends.ask(b"HEAD")
    asked.stream.send_head(response_fields(200, HeaderMap([(b"content-length", b"5")])))
    asked.stream.send_end()
    ends.exchange()
    assert told.kinds == ["head", "end"]


def test_a_body_of_another_length_than_told_is_malformed(ends: Any) -> None:
    for body in (b"1234", b"123456"):
        told, asked = ends.ask(b"POST", is_end=False, content_length=b"5")
        told.stream.send_body(body)
        told.stream.send_end()
        ends.exchange()
        assert asked.events[-1] == ("reset", (PROTOCOL_ERROR, True))
        assert told.of("reset") == [(PROTOCOL_ERROR, False)]


def test_trailers_do_not_hide_that_a_body_is_too_short(ends: Any) -> None:
    told, asked = ends.ask(b"POST", is_end=False, content_length=b"5")
    told.stream.send_body(b"1234")
    told.stream.send_end(HeaderMap([(b"x-a", b"1")]))
    ends.exchange()
    assert asked.events[-1] == ("reset", (PROTOCOL_ERROR, True))


def test_a_body_in_the_answer_to_head_is_malformed(ends: Any) -> None:
    told, asked = ends.ask(b"HEAD")
    asked.stream.send_head(OK)
    asked.stream.send_body(b"no")
    ends.exchange()
    assert told.events[-1] == ("reset", (PROTOCOL_ERROR, True))
    assert asked.events[-1] == ("reset", (PROTOCOL_ERROR, False))


def test_a_closed_session_gives_back_its_receivers_and_does_nothing_more(ends: Any) -> None:
    told, asked = ends.ask()
    assert ends.server.close() == [asked]
    asked.stream.send_head(OK)
    asked.stream.send_body(b"x")
    asked.stream.reset(CANCEL)
    assert ends.server.take() == b""
    assert told.events == []
