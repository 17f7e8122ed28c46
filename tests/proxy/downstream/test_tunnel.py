import gc

import pytest

from pymesh.proxy.downstream.tunnel import MAX_EARLY_BYTES, Tunnel
from pymesh.proxy.net import HALF_CLOSE_GRACE
from pymesh.proxy.timers import Timers


class FakeClock:
    """An event loop's clock that is moved by hand."""

    def __init__(self):
        self.now = 0.0
        self.calls = []

    def time(self):
        return self.now

    def call_at(self, when, callback):
        self.calls.append((when, callback))

    def advance(self, seconds):
        self.now += seconds
        due = [call for call in self.calls if call[0] <= self.now]
        self.calls = [call for call in self.calls if call[0] > self.now]
        for _, callback in due:
            callback()


class FakeTransport:
    """Writes down what is done to it; `close` and `abort` end it when `finish` is called, as a loop would."""

    def __init__(self, end, can_write_eof=True):
        self.end = end
        self.written = b""
        self.is_reading = True
        self.has_eof = False
        self.ending = ""
        self._can_write_eof = can_write_eof

    def write(self, data):
        assert not self.has_eof
        self.written += data

    def can_write_eof(self):
        return self._can_write_eof

    def write_eof(self):
        self.has_eof = True

    def pause_reading(self):
        self.is_reading = False

    def resume_reading(self):
        self.is_reading = True

    def is_closing(self):
        return bool(self.ending)

    def close(self):
        self.ending = self.ending or "close"

    def abort(self):
        self.ending = "abort"

    def finish(self):
        assert self.ending
        self.end.connection_lost(None)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def done():
    return []


@pytest.fixture
def tunnel(clock, done):
    return Tunnel(done.append, Timers(clock), idle_timeout=60.0)


def attach(end, **fields):
    transport = FakeTransport(end, **fields)
    end.connection_made(transport)
    end.attach(transport)
    return transport


def test_bytes_go_to_the_other_end(tunnel):
    downstream, upstream = attach(tunnel.downstream), attach(tunnel.upstream)
    tunnel.downstream.data_received(b"question")
    tunnel.upstream.data_received(b"answer!")
    assert (upstream.written, downstream.written) == (b"question", b"answer!")
    assert (tunnel.bytes_received, tunnel.bytes_sent) == (8, 7)


def test_early_bytes_are_kept_in_order_and_bounded(tunnel):
    downstream = attach(tunnel.downstream)
    tunnel.downstream.data_received(b"first ")
    assert downstream.is_reading
    tunnel.downstream.data_received(b"x" * MAX_EARLY_BYTES)
    assert not downstream.is_reading
    upstream = attach(tunnel.upstream)
    assert upstream.written == b"first " + b"x" * MAX_EARLY_BYTES
    assert downstream.is_reading


def test_nothing_is_read_from_an_end_that_is_not_yet_trusted(tunnel):
    attach(tunnel.downstream)
    transport = FakeTransport(tunnel.upstream)
    tunnel.upstream.connection_made(transport)
    assert not transport.is_reading
    tunnel.upstream.attach(transport)
    assert transport.is_reading


def test_an_attempt_that_fails_leaves_the_tunnel_as_it_was(tunnel, done):
    downstream = attach(tunnel.downstream)
    tunnel.downstream.data_received(b"early")
    tunnel.upstream.connection_made(FakeTransport(tunnel.upstream))
    tunnel.upstream.connection_lost(None)
    assert not downstream.ending
    assert attach(tunnel.upstream).written == b"early"
    assert done == []


def test_a_slow_end_pauses_the_other(tunnel):
    downstream, upstream = attach(tunnel.downstream), attach(tunnel.upstream)
    tunnel.downstream.pause_writing()
    assert not upstream.is_reading
    assert downstream.is_reading
    tunnel.downstream.resume_writing()
    assert upstream.is_reading


def test_an_eof_is_passed_on_and_the_answer_still_comes(tunnel, done):
    downstream, upstream = attach(tunnel.downstream), attach(tunnel.upstream)
    assert tunnel.downstream.eof_received()
    assert upstream.has_eof
    assert not upstream.ending
    tunnel.upstream.data_received(b"answer")
    assert downstream.written == b"answer"
    tunnel.upstream.eof_received()
    assert (downstream.ending, upstream.ending) == ("close", "close")
    downstream.finish()
    assert done == []
    upstream.finish()
    assert done == [tunnel]


def test_an_early_eof_is_passed_on_when_there_is_somebody_to_tell(tunnel):
    attach(tunnel.downstream)
    tunnel.downstream.data_received(b"all")
    tunnel.downstream.eof_received()
    upstream = attach(tunnel.upstream)
    assert upstream.written == b"all"
    assert upstream.has_eof


def test_behind_tls_the_answer_has_until_it_is_silent(tunnel, clock):
    downstream, upstream = attach(tunnel.downstream), attach(tunnel.upstream, can_write_eof=False)
    tunnel.downstream.eof_received()
    for _ in range(5):
        clock.advance(HALF_CLOSE_GRACE * 0.9)
        tunnel.upstream.data_received(b"answer")
    assert not upstream.ending
    clock.advance(HALF_CLOSE_GRACE)
    assert (downstream.ending, upstream.ending) == ("close", "close")


def test_who_is_paused_is_not_silent(tunnel, clock):
    _, upstream = attach(tunnel.downstream), attach(tunnel.upstream, can_write_eof=False)
    tunnel.downstream.eof_received()
    tunnel.downstream.pause_writing()
    clock.advance(HALF_CLOSE_GRACE)
    assert not upstream.ending
    tunnel.downstream.resume_writing()
    clock.advance(HALF_CLOSE_GRACE)
    assert upstream.ending == "close"


def test_a_tls_transport_is_told_not_to_stay_open(tunnel):
    attach(tunnel.downstream, can_write_eof=False)
    upstream = attach(tunnel.upstream)
    assert not tunnel.downstream.eof_received()
    assert upstream.has_eof


def test_when_one_end_is_lost_the_other_is_closed_and_its_bytes_are_written(tunnel, done):
    attach(tunnel.downstream)
    upstream = attach(tunnel.upstream)
    tunnel.downstream.connection_lost(ConnectionResetError())
    assert upstream.ending == "close"
    upstream.finish()
    assert done == [tunnel]


def test_a_client_that_leaves_early_ends_the_tunnel_and_the_late_connection(tunnel, done):
    attach(tunnel.downstream)
    tunnel.downstream.connection_lost(None)
    assert done == [tunnel]
    assert attach(tunnel.upstream).ending == "abort"
    assert done == [tunnel]


def test_an_idle_tunnel_is_aborted(tunnel, clock, done):
    downstream, upstream = attach(tunnel.downstream), attach(tunnel.upstream)
    clock.advance(59)
    tunnel.upstream.data_received(b"x")
    clock.advance(59)
    assert not tunnel.is_idle
    clock.advance(1)
    assert (downstream.ending, upstream.ending) == ("abort", "abort")
    downstream.finish()
    upstream.finish()
    assert done == [tunnel]
    assert tunnel.is_idle


def test_a_tunnel_that_was_never_connected_can_be_closed(tunnel, done):
    tunnel.close()
    tunnel.abort()
    assert done == [tunnel]


def test_a_tunnel_that_is_done_leaves_nothing_for_the_garbage_collector(clock):
    class Owner:
        def __init__(self):
            self.tunnel = Tunnel(self.on_done, Timers(clock))

        def on_done(self, tunnel):
            pass

    gc.collect()
    gc.disable()
    try:
        tunnel = Owner().tunnel
        downstream, upstream = attach(tunnel.downstream), attach(tunnel.upstream)
        tunnel.close()
        downstream.finish()
        upstream.finish()
        assert tunnel.is_done
        del tunnel, downstream, upstream
        assert gc.collect() == 0
    finally:
        gc.enable()
