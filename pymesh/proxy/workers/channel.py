"""Calls between supervisor and worker, in both directions at once, over one stream. What is called is not known here.

A message is its length in four bytes, big endian, and a Frame in MessagePack. Both ends are ours: bytes that are no
frame are a bug, and end the channel.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, TypeVar

import msgspec

from pymesh.errors import ControlUnreachableError, PymeshError, UsageError
from pymesh.tasks import TaskGroup

log = logging.getLogger(__name__)

T = TypeVar("T")
Serve = Callable[[Any], Awaitable[object]]  # a request -> its answer

CALL = 0
ANSWER = 1
ERROR = 2

_LENGTH = 4
# The errors that a caller tells apart; any other PymeshError arrives as that.
_ERRORS: dict[str, type[PymeshError]] = {error.__name__: error for error in (ControlUnreachableError, UsageError)}


class ChannelClosedError(PymeshError):
    """The process at the other end is gone, or about to be."""


class Frame(msgspec.Struct, array_like=True, frozen=True):
    """`number` is the caller's; the answer, or the error, has the same."""

    kind: int
    number: int
    body: msgspec.Raw


class Failure(msgspec.Struct, array_like=True, frozen=True):
    error: str
    message: str


def encode_frame(kind: int, number: int, body: object) -> bytes:
    frame = msgspec.msgpack.encode(Frame(kind, number, msgspec.Raw(msgspec.msgpack.encode(body))))
    return len(frame).to_bytes(_LENGTH) + frame


async def read_frame(reader: asyncio.StreamReader) -> Frame:
    """Raises IncompleteReadError at the end of the stream."""
    length = int.from_bytes(await reader.readexactly(_LENGTH))
    return msgspec.msgpack.decode(await reader.readexactly(length), type=Frame)


async def open_channel(sock: socket.socket, requests: Any, serve: Serve) -> "Channel":
    """`requests` is the union of what the other end may ask, which `serve` answers."""
    reader, writer = await asyncio.open_unix_connection(sock=sock)
    return Channel(reader, writer, requests, serve)


class Channel:
    """Give `run` to a TaskGroup; it returns when the other end is gone."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, requests: Any, serve: Serve) -> None:
        self._reader = reader
        self._writer = writer
        self._requests = msgspec.msgpack.Decoder(requests)
        self._serve = serve
        self._numbers = count()
        self._waiting: dict[int, asyncio.Future[msgspec.Raw]] = {}
        self._tasks = TaskGroup()
        self._is_closed = False

    async def call(self, request: object, answer: type[T]) -> T:
        """The answer. Raises what the other end raised, if that is a PymeshError, and ChannelClosedError."""
        if self._is_closed:
            raise ChannelClosedError("the process is gone")
        number = next(self._numbers)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._send(CALL, number, request)
            return msgspec.msgpack.decode(await future, type=answer)
        finally:
            self._waiting.pop(number, None)
            if future.done() and not future.cancelled():
                future.exception()  # seen, where the request could not even be sent

    async def run(self) -> None:
        try:
            while True:
                self._take(await read_frame(self._reader))
        except (asyncio.IncompleteReadError, OSError):
            pass  # the process at the other end has ended
        finally:
            self.close()

    def close(self) -> None:
        self._is_closed = True
        self._writer.close()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ChannelClosedError("the process is gone"))

    async def aclose(self) -> None:
        self.close()
        await self._tasks.aclose()

    def _take(self, frame: Frame) -> None:
        if frame.kind == CALL:
            self._tasks.spawn("answer", self._answer(frame.number, self._requests.decode(frame.body)))
        elif (future := self._waiting.get(frame.number)) is not None and not future.done():
            if frame.kind == ANSWER:
                future.set_result(frame.body)
            else:
                future.set_exception(_error(msgspec.msgpack.decode(frame.body, type=Failure)))

    async def _answer(self, number: int, request: object) -> None:
        try:
            kind, answer = ANSWER, await self._serve(request)
        except (PymeshError, OSError) as error:
            kind, answer = ERROR, Failure(type(error).__name__, str(error))
        except Exception as error:  # the one catch point: the caller must not wait for ever
            log.exception("request %s", type(request).__name__)
            kind, answer = ERROR, Failure("", f"internal error: {error!r}")
        try:
            await self._send(kind, number, answer)
        except (ChannelClosedError, OSError):
            log.debug("nobody waits for the answer any more")

    async def _send(self, kind: int, number: int, body: object) -> None:
        try:
            self._writer.write(encode_frame(kind, number, body))
            await self._writer.drain()
        except OSError as error:
            raise ChannelClosedError("the process is gone") from error


def _error(failure: Failure) -> PymeshError:
    return _ERRORS.get(failure.error, PymeshError)(failure.message)
