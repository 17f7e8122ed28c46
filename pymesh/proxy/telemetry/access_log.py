"""The access log: a line a stream, gathered here and handed to the writer in batches."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from pymesh.proxy.telemetry.access_log_format import ISTIO_TEXT_FORMAT, Format, compile_format
from pymesh.proxy.telemetry.log_writer import LogWriter
from pymesh.proxy.telemetry.stream_info import StreamInfo

FLUSH_SECONDS = 1.0
FLUSH_CHARACTERS = 64 * 1024


class Handle(Protocol):
    def cancel(self) -> None: ...


CallLater = Callable[[float, Callable[[], object]], Handle]


class AccessLog:
    """`path` is a file that is appended to; `-` and `/dev/stdout` are standard output. `is_shared`: with
    other processes that log there too.

    A line waits FLUSH_SECONDS at most. Raises UsageError where the file cannot be opened, ValueError for a bad format.
    """

    def __init__(
        self,
        path: str,
        log_format: str | Format = ISTIO_TEXT_FORMAT,
        call_later: CallLater | None = None,
        is_shared: bool = False,
    ) -> None:
        self._format = compile_format(log_format) if isinstance(log_format, str) else log_format
        self.writer = LogWriter(path, is_shared=is_shared)
        self._call_later = call_later
        self._timer: Handle | None = None
        self._lines: list[str] = []
        self._size = 0

    @property
    def dropped(self) -> int:
        """Lines that were not written: a full disk, or one that is too slow."""
        return self.writer.dropped

    def log(self, info: StreamInfo) -> None:
        line = self._format(info)
        self._lines.append(line)
        self._size += len(line)
        if self._size >= FLUSH_CHARACTERS:
            self.flush()
        elif self._timer is None:
            call_later = self._call_later or asyncio.get_running_loop().call_later
            self._timer = call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._lines:
            lines, self._lines = self._lines, []
            size, self._size = self._size, 0
            self.writer.write(lines, size)

    def close(self) -> None:
        """Write what is buffered. Blocks for at most a second."""
        self.flush()
        self.writer.close()


class FilteredAccessLog(AccessLog):
    """Knows only the streams of which `is_logged` is true."""

    def __init__(
        self,
        path: str,
        log_format: str | Format,
        is_logged: Callable[[StreamInfo], bool],
        call_later: CallLater | None = None,
        is_shared: bool = False,
    ) -> None:
        super().__init__(path, log_format, call_later, is_shared)
        self._is_logged = is_logged

    def log(self, info: StreamInfo) -> None:
        if self._is_logged(info):
            super().log(info)
