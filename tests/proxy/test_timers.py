from typing import Any

import pytest

from pymesh.proxy.timers import Timers


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[tuple[float, Any]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Any) -> Any:
        self.calls.append((when, callback))
        return callback

    def advance_to(self, now: float) -> None:
        self.now = now
        due = [call for call in self.calls if call[0] <= now]
        self.calls = [call for call in self.calls if call[0] > now]
        for _, callback in due:
            callback()


def test_owners_fire_when_their_time_has_come_and_in_order() -> None:
    clock, fired = Clock(), []
    queue = Timers(clock).queue(5.0, fired.append)
    for owner in ("a", "b"):
        queue.start(owner)
        clock.now += 1.0
    clock.advance_to(5.0)
    assert fired == ["a"]
    clock.advance_to(6.0)
    assert fired == ["a", "b"]
    assert len(queue) == 0


def test_one_loop_timer_serves_a_queue() -> None:
    clock = Clock()
    queue = Timers(clock).queue(5.0, lambda owner: None)
    for owner in range(1000):
        queue.start(owner)
    assert len(clock.calls) == 1


def test_a_stopped_owner_does_not_fire_and_a_restarted_one_fires_later() -> None:
    clock, fired = Clock(), []
    queue = Timers(clock).queue(5.0, fired.append)
    queue.start("stopped")
    queue.start("restarted")
    queue.stop("stopped")
    clock.now = 3.0
    queue.start("restarted")
    clock.advance_to(5.0)
    assert fired == []
    clock.advance_to(8.0)
    assert fired == ["restarted"]


def test_an_owner_may_start_again_when_it_fires() -> None:
    clock, fired = Clock(), []
    timers = Timers(clock)

    def fire(owner: str) -> None:
        fired.append(clock.now)
        timers.queue(2.0, fire).start(owner)

    timers.queue(2.0, fire).start("a")
    clock.advance_to(2.0)
    clock.advance_to(4.0)
    assert fired == [2.0, 4.0]


def test_the_same_duration_and_purpose_share_a_queue() -> None:
    timers = Timers(Clock())
    assert timers.queue(1.0, print) is timers.queue(1.0, print)
    assert timers.queue(1.0, print) is not timers.queue(2.0, print)


def test_a_bug_in_one_owner_does_not_stop_the_others() -> None:
    clock, fired = Clock(), []

    def fire(owner: str) -> None:
        if owner == "bad":
            raise RuntimeError
        fired.append(owner)

    queue = Timers(clock).queue(1.0, fire)
    queue.start("bad")
    queue.start("good")
    with pytest.raises(RuntimeError):
        clock.advance_to(1.0)
    clock.advance_to(1.0)
    assert fired == ["good"]


class Owner:
    since: float | None = 0.0


def watch(clock: Clock, fired: list[Any]) -> Any:
    return Timers(clock).idle_watch(64.0, lambda owner: owner.since, fired.append)


def test_a_watched_owner_fires_when_it_has_been_idle_for_long_enough() -> None:
    clock, fired, owner = Clock(), [], Owner()
    idle = watch(clock, fired)
    idle.watch(owner)
    owner.since = 10.0
    clock.advance_to(64.0)
    assert fired == []
    clock.advance_to(74.0)
    assert fired == [owner]


def test_a_busy_owner_does_not_fire_until_it_is_idle_again() -> None:
    clock, fired, owner = Clock(), [], Owner()
    idle = watch(clock, fired)
    idle.watch(owner)
    owner.since = None
    clock.advance_to(64.0)
    owner.since = 64.0
    clock.advance_to(128.0)
    assert fired == [owner]


def test_a_forgotten_owner_does_not_fire_and_leaves_no_timer_behind() -> None:
    clock, fired, owner = Clock(), [], Owner()
    idle = watch(clock, fired)
    idle.watch(owner)
    idle.forget(owner)
    clock.advance_to(64.0)
    assert fired == []
    assert clock.calls == []


def test_many_owners_are_looked_at_seldom() -> None:
    clock, fired = Clock(), []
    idle = watch(clock, fired)
    for i in range(1000):
        owner = Owner()
        owner.since = i / 1000
        idle.watch(owner)
    clock.advance_to(64.0)
    assert [when for when, _ in clock.calls] == [65.0]  # a 64th of the duration later, not at the next owner's time
    clock.advance_to(65.0)
    assert len(fired) >= 1000


def test_a_bug_in_a_callback_does_not_end_the_watch() -> None:
    clock = Clock()

    def fire(owner: object) -> None:
        raise ValueError("a bug")

    idle = Timers(clock).idle_watch(1.0, lambda owner: owner.since, fire)
    idle.watch(Owner())
    with pytest.raises(ValueError, match="a bug"):
        clock.advance_to(1.0)
    assert len(clock.calls) == 1


def test_durations_that_nobody_waits_for_any_more_are_forgotten() -> None:
    clock, fired = Clock(), []
    timers = Timers(clock)
    waiting = timers.queue(0.5, fired.append)
    waiting.start("a")
    for i in range(5000):
        timers.queue(10.0 + i, fired.append).start(i)
        timers.queue(10.0 + i, fired.append).stop(i)
    assert len(timers.queues[fired.append]) <= 1024
    assert timers.queue(0.5, fired.append) is waiting
    clock.advance_to(1.0)
    assert fired == ["a"]
