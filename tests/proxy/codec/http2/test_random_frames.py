"""Frames in any order, some of them broken, in reads of any size: a session answers with errors and never raises."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from hpack import Encoder
from hyperframe.exceptions import HyperframeError
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from pymesh.proxy.codec.http2.session import Session

START = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SettingsFrame(0).serialize()
HEAD = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"a"), (b":path", b"/")]
SEEDS = 600


def random_frame(chance: random.Random, encoder: Encoder) -> bytes:
    stream = chance.choice([1, 1, 1, 3, 3, 5, 7, 2])
    flags = [flag for flag in ("END_HEADERS", "END_STREAM") if chance.random() < 0.7]
    fields = HEAD if chance.random() < 0.8 else [(b"x", b"y")]
    makers: list[Callable[[], Frame]] = [
        lambda: HeadersFrame(stream, encoder.encode(fields), flags=flags),
        lambda: HeadersFrame(stream, encoder.encode(fields), flags=flags),
        lambda: DataFrame(stream, bytes(chance.randrange(100)), flags=flags[1:]),
        lambda: RstStreamFrame(stream, chance.randrange(2**32)),
        lambda: WindowUpdateFrame(chance.choice([0, stream]), chance.randrange(1, 2**31)),
        lambda: SettingsFrame(0, {chance.randrange(1, 10): chance.randrange(2**20)}),
        lambda: PingFrame(0, b"12345678"),
        lambda: GoAwayFrame(0, stream, chance.randrange(99_999)),
        lambda: PriorityFrame(stream, depends_on=chance.randrange(9)),
    ]
    try:
        data: bytes = chance.choice(makers)().serialize()
    except HyperframeError:  # it would not be one
        return b""
    return data


def random_answer(chance: random.Random, stream: Any, answered: set[int]) -> None:
    kind = chance.randrange(12)
    if kind == 0 and stream.id not in answered:
        answered.add(stream.id)
        stream.send_head([(b":status", b"200")])
    elif kind == 1 and stream.id in answered:
        stream.send_body(bytes(chance.randrange(100_000)))
    elif kind == 2 and stream.id in answered:
        stream.send_end()
    elif kind == 3:
        stream.reset(8)
    elif kind in (4, 5):
        (stream.hold if kind == 4 else stream.release)()


@pytest.mark.parametrize("first", range(0, SEEDS, 100))
def test_nothing_that_comes_is_an_exception(sink: Any, first: int) -> None:
    for seed in range(first, first + 100):
        chance, encoder, answered = random.Random(seed), Encoder(), set[int]()
        session = Session(sink, is_client=False)
        session.start()
        data = bytearray(START + b"".join(random_frame(chance, encoder) for _ in range(chance.randrange(1, 15))))
        for _ in range(chance.choice([0, 0, 1, 3])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        error, position = None, 0
        while position < len(data) and error is None:
            size = chance.randrange(1, 200)
            error = session.receive(bytes(data[position : position + size]))
            position += size
            for stream in list(session.streams.values()):
                random_answer(chance, stream, answered)
            session.take()
