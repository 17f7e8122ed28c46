"""Writes log lines to a file or standard output from a thread, so that a slow disk or pipe never stops the proxy."""

import logging
import os
import queue
import select
import stat
import threading
import time
from collections.abc import Iterator

from pymesh.errors import UsageError
from pymesh.proxy.telemetry.access_log_format import ENCODING_ERRORS

log = logging.getLogger(__name__)

MAX_PENDING = 8 * 1024 * 1024  # characters that may wait for the disk
_STDOUT = ("-", "/dev/stdout")
_WARN_SECONDS = 60.0


class LogWriter:
    """Appends batches of lines; what cannot be written is dropped and counted, and the next batch is tried again.

    A file that was renamed or removed (log rotation) is opened anew at the next batch. If it `is_shared` with other
    processes, lines stay whole: a file's always do, a pipe's if they are not longer than PIPE_BUF.
    """

    def __init__(self, path: str, max_pending: int = MAX_PENDING, is_shared: bool = False) -> None:
        self._path = None if path in _STDOUT else path
        self._max_pending = max_pending
        self._is_shared = is_shared
        self._queue: queue.SimpleQueue[list[str] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        # Each counter has one writer: the caller's thread the first two, the own thread the others.
        self._queued = 0
        self._overflowed = 0
        self._done = 0
        self._failed = 0
        self._warned = float("-inf")
        try:
            self._fd = self._open()
        except OSError as error:
            raise UsageError(f"cannot write the access log {path}: {error.strerror}") from None

    @property
    def dropped(self) -> int:
        """Lines that were not written."""
        return self._overflowed + self._failed

    @property
    def is_closed(self) -> bool:
        return self._fd < 0

    def write(self, lines: list[str], size: int) -> None:
        """Hand over lines without their ends, of `size` characters together. Never blocks."""
        if self._queued - self._done + size > self._max_pending:
            self._overflowed += len(lines)
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)
            self._thread.start()
        self._queued += size
        self._queue.put(lines)

    def close(self, timeout: float = 1.0) -> None:
        """Wait until all is written, or `timeout` seconds."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(timeout)
        else:
            self._close_file()

    def release(self) -> None:
        """Let the file go when all that was handed over is written; waits for nothing."""
        if self._thread is None:
            self._close_file()
        else:
            self._queue.put(None)

    def _run(self) -> None:
        while (lines := self._queue.get()) is not None:
            try:
                self._reopen_if_rotated()
                self._write_lines(lines)
            except OSError as error:
                self._failed += len(lines)
                self._warn(error)
            self._done += sum(map(len, lines))
        self._close_file()

    def _write_lines(self, lines: list[str]) -> None:
        data = "\n".join([*lines, ""]).encode("utf-8", ENCODING_ERRORS)
        if self._is_shared and self._is_pipe():
            for piece in split_at_lines(data, select.PIPE_BUF):
                self._write_all(piece)
        else:
            self._write_all(data)

    def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]

    def _reopen_if_rotated(self) -> None:
        if self._path is None:
            return
        try:
            now = os.stat(self._path)
        except FileNotFoundError:
            now = None
        ours = os.fstat(self._fd)
        if now is None or (now.st_ino, now.st_dev) != (ours.st_ino, ours.st_dev):
            fd = self._open()
            self._close_file()
            self._fd = fd

    def _is_pipe(self) -> bool:
        return stat.S_ISFIFO(os.fstat(self._fd).st_mode)

    def _open(self) -> int:
        if self._path is None:
            return 1
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def _close_file(self) -> None:
        if self._path is not None and self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _warn(self, error: OSError) -> None:
        now = time.monotonic()
        if now - self._warned >= _WARN_SECONDS:
            self._warned = now
            log.warning("access log %s: %s; %d lines dropped so far", self._path or "-", error.strerror, self.dropped)


def split_at_lines(data: bytes, size: int) -> Iterator[bytes]:
    """Whole lines, as many as `size` bytes hold; a longer line alone."""
    begin = 0
    while begin < len(data):
        end = data.rfind(b"\n", begin, begin + size) + 1 or data.index(b"\n", begin) + 1
        yield data[begin:end]
        begin = end
