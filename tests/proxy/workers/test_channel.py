"""The channel between two ends in this process, on a real socket pair."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec
import pytest

from pymesh.errors import ControlUnreachableError, PymeshError, UsageError
from pymesh.proxy.workers.channel import ANSWER, Channel, ChannelClosedError, encode_frame, open_channel, read_frame


class Echo(msgspec.Struct, tag=True):
    data: bytes


class Wait(msgspec.Struct, tag=True):
    pass


class Fail(msgspec.Struct, tag=True):
    error: str


ERRORS = {
    "usage": UsageError("port is taken"),
    "unreachable": ControlUnreachableError("no answer in time"),
    "refused": PymeshError("403"),
    "bug": KeyError("oops"),
}


class Ends(NamedTuple):
    supervisor: Channel
    worker: Channel
    release: asyncio.Event


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    """Both answer alike; a Wait is answered after `release`."""
    release = asyncio.Event()

    async def serve(request: Echo | Wait | Fail) -> object:
        match request:
            case Echo(data):
                return data
            case Fail(error):
                raise ERRORS[error]
        await release.wait()
        return b"waited"

    one, other = socket.socketpair()
    channels = [await open_channel(sock, Echo | Wait | Fail, serve) for sock in (one, other)]
    running = [asyncio.create_task(channel.run()) for channel in channels]
    yield Ends(*channels, release)
    for channel in channels:
        await channel.aclose()
    await asyncio.gather(*running)


async def test_each_end_can_ask_the_other(ends: Ends) -> None:
    assert await ends.supervisor.call(Echo(b"down"), bytes) == b"down"
    assert await ends.worker.call(Echo(b"up"), bytes) == b"up"


async def test_a_message_of_many_megabytes_arrives_whole(ends: Ends) -> None:
    data = bytes(range(256)) * 40_000
    assert await ends.supervisor.call(Echo(data), bytes) == data


async def test_a_request_that_takes_long_holds_up_no_other(ends: Ends) -> None:
    slow = asyncio.create_task(ends.supervisor.call(Wait(), bytes))
    assert await ends.supervisor.call(Echo(b"quick"), bytes) == b"quick"
    assert not slow.done()
    ends.release.set()
    assert await slow == b"waited"


@pytest.mark.parametrize(
    ("error", "kind"), [("usage", UsageError), ("unreachable", ControlUnreachableError), ("refused", PymeshError)]
)
async def test_an_error_arrives_as_what_it_is(ends: Ends, error: str, kind: type[PymeshError]) -> None:
    with pytest.raises(kind, match=str(ERRORS[error])) as raised:
        await ends.worker.call(Fail(error), bytes)
    assert type(raised.value) is kind


async def test_a_bug_is_answered_too(ends: Ends) -> None:
    with pytest.raises(PymeshError, match=r"internal error: KeyError\('oops'\)"):
        await ends.worker.call(Fail("bug"), bytes)


async def test_who_waits_for_a_process_that_dies_is_told(ends: Ends) -> None:
    waiting = asyncio.create_task(ends.supervisor.call(Wait(), bytes))
    assert await ends.supervisor.call(Echo(b""), bytes) == b""  # the Wait is on its way before it
    ends.worker.close()
    with pytest.raises(ChannelClosedError):
        await waiting
    with pytest.raises(ChannelClosedError):
        await ends.supervisor.call(Echo(b""), bytes)


async def test_frames_are_told_apart_however_the_stream_is_cut() -> None:
    frames = encode_frame(ANSWER, 7, {"a": 1}) + encode_frame(ANSWER, 8, "b" * 300)
    reader = asyncio.StreamReader()
    reading = asyncio.create_task(_read_two(reader))
    for byte in frames:
        reader.feed_data(bytes((byte,)))
        await asyncio.sleep(0)
    assert await reading == [(7, {"a": 1}), (8, "b" * 300)]


async def test_a_stream_that_ends_within_a_frame_is_no_frame() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(encode_frame(ANSWER, 7, "text")[:-1])
    reader.feed_eof()
    with pytest.raises(asyncio.IncompleteReadError):
        await read_frame(reader)


async def _read_two(reader: asyncio.StreamReader) -> list[tuple[int, object]]:
    frames = [await read_frame(reader) for _ in range(2)]
    return [(frame.number, msgspec.msgpack.decode(frame.body)) for frame in frames]
