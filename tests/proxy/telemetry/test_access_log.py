from collections.abc import Callable
from pathlib import Path

import pytest

from pymesh.errors import UsageError
from pymesh.proxy.telemetry.access_log import FLUSH_SECONDS, AccessLog
from pymesh.proxy.telemetry.log_writer import LogWriter, split_at_lines
from pymesh.proxy.telemetry.stream_info import StreamInfo

Make = Callable[..., StreamInfo]


class FakeTimer:
    def __init__(self, delay: float, callback: Callable[[], object]) -> None:
        self.delay = delay
        self.fire = callback
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class FakeLoop:
    def __init__(self) -> None:
        self.timers: list[FakeTimer] = []

    def call_later(self, delay: float, callback: Callable[[], object]) -> FakeTimer:
        self.timers.append(FakeTimer(delay, callback))
        return self.timers[-1]


@pytest.fixture
def loop() -> FakeLoop:
    return FakeLoop()


def open_log(path: Path, loop: FakeLoop) -> AccessLog:
    return AccessLog(str(path), "%REQ(:PATH)%", loop.call_later)


def test_lines_wait_for_one_timer_and_are_appended(tmp_path: Path, loop: FakeLoop, make_info: Make) -> None:
    path = tmp_path / "access.log"
    path.write_text("before\n")
    log = open_log(path, loop)
    log.log(make_info(path=b"/a"))
    log.log(make_info(path=b"/b"))
    assert [timer.delay for timer in loop.timers] == [FLUSH_SECONDS]
    loop.timers[0].fire()
    log.log(make_info(path=b"/c"))
    log.close()
    assert path.read_text() == "before\n/a\n/b\n/c\n"


def test_a_full_buffer_does_not_wait_for_the_timer(tmp_path: Path, loop: FakeLoop, make_info: Make) -> None:
    log = open_log(tmp_path / "access.log", loop)
    log.log(make_info(path=b"/"))
    log.log(make_info(path=b"/" * 70_000))
    assert loop.timers[0].is_cancelled
    log.close()
    assert (tmp_path / "access.log").stat().st_size == 70_003


def test_a_rotated_file_is_left_and_a_new_one_begun(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    writer = LogWriter(str(path))
    writer.write(["one"], 3)
    wait_for(path, "one\n")
    path.rename(tmp_path / "access.log.1")
    writer.write(["two"], 3)
    writer.close()
    assert path.read_text() == "two\n"
    assert (tmp_path / "access.log.1").read_text() == "one\n"


def wait_for(path: Path, text: str) -> None:
    while path.read_text() != text:
        pass


def test_a_full_disk_costs_lines_that_are_counted_and_nothing_else() -> None:
    writer = LogWriter("/dev/full")
    writer.write(["one", "two"], 6)
    writer.write(["three"], 5)
    writer.close()
    assert writer.dropped == 3


def test_what_a_slow_disk_does_not_take_is_dropped() -> None:
    writer = LogWriter("/dev/null", max_pending=10)
    writer.write(["x" * 11], 11)
    writer.close()
    assert writer.dropped == 1


@pytest.mark.parametrize("path", ["/no/such/directory/access.log", "/"])
def test_a_file_that_cannot_be_opened_is_the_user_s_mistake(path: str) -> None:
    with pytest.raises(UsageError, match="cannot write the access log"):
        LogWriter(path)


@pytest.mark.parametrize("path", ["-", "/dev/stdout"])
def test_a_dash_is_standard_output(path: str, capfd: pytest.CaptureFixture[str]) -> None:
    writer = LogWriter(path)
    writer.write(["line"], 4)
    writer.close()
    assert capfd.readouterr().out == "line\n"


def test_a_batch_is_cut_behind_lines_and_only_a_line_that_is_too_long_is_longer_than_a_piece() -> None:
    lines = [b"a" * 3, b"b" * 3, b"c" * 20, b"d", b""]
    pieces = list(split_at_lines(b"".join(line + b"\n" for line in lines), 8))
    assert pieces == [b"aaa\nbbb\n", b"c" * 20 + b"\n", b"d\n\n"]
