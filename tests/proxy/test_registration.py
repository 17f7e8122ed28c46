import asyncio

import pytest

from pymesh.errors import ControlUnreachableError, PymeshError
from pymesh.proxy.control_client import ControlRefusedError
from pymesh.proxy.registration import LEAVE_SECONDS, Lease
from pymesh.xds import ReadinessProbe, Registration, RegistrationAnswer

REGISTRATION = Registration("payment", "payment-v1", "10.0.0.1", 15006, 8080, "http", "default", {}, healthy=False)


class FakeRegistry:
    """Writes calls down; the next errors come from `failures`."""

    def __init__(self, *failures: PymeshError) -> None:
        self.calls: asyncio.Queue[Registration | str] = asyncio.Queue()
        self._failures = list(failures)

    async def register(self, namespace: str, name: str, registration: Registration) -> RegistrationAnswer:
        self.calls.put_nowait(registration)
        if self._failures:
            raise self._failures.pop(0)
        return RegistrationAnswer(ReadinessProbe(port=8080))

    async def deregister(self, namespace: str, name: str, seconds: float) -> None:
        self.calls.put_nowait(f"DELETE {namespace}/{name} {seconds}")
        if self._failures:
            raise self._failures.pop(0)


@pytest.fixture(autouse=True)
def renew_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pymesh.proxy.registration.LEASE_RENEW", 0.001)


async def test_the_lease_is_renewed_as_long_as_it_is_kept() -> None:
    registry = FakeRegistry()
    task = asyncio.create_task(Lease(registry, "default", "payment-v1-x", REGISTRATION).keep())
    assert [await registry.calls.get() for _ in range(3)] == [REGISTRATION] * 3
    task.cancel()


async def test_a_change_of_health_is_told_with_the_next_renewal() -> None:
    registry = FakeRegistry()
    lease = Lease(registry, "default", "payment-v1-x", REGISTRATION)
    task = asyncio.create_task(lease.keep())
    await registry.calls.get()
    lease.set_healthy(True)
    registrations = [await registry.calls.get() for _ in range(2)]
    assert isinstance(registrations[-1], Registration)
    assert registrations[-1].healthy
    task.cancel()


async def test_a_registry_that_was_away_is_registered_with_again(caplog: pytest.LogCaptureFixture) -> None:
    registry = FakeRegistry(ControlUnreachableError("refused"))
    lease = Lease(registry, "default", "payment-v1-x", REGISTRATION)
    task = asyncio.create_task(lease.keep())
    for _ in range(3):
        await registry.calls.get()
    assert lease.is_registered
    task.cancel()


async def test_a_workload_is_announced_when_the_registry_knows_that_it_is_healthy() -> None:
    registry = FakeRegistry()
    lease = Lease(registry, "default", "payment-v1-x", REGISTRATION)
    task = asyncio.create_task(lease.keep())
    await registry.calls.get()
    assert not lease.announced.is_set()
    lease.set_healthy(True)
    await lease.announced.wait()
    assert lease.is_registered
    task.cancel()


async def test_a_registry_that_is_away_keeps_nobody_from_serving() -> None:
    lease = Lease(FakeRegistry(ControlUnreachableError("refused")), "default", "payment-v1-x", REGISTRATION)
    lease.set_healthy(True)
    task = asyncio.create_task(lease.keep())
    await lease.announced.wait()
    task.cancel()


async def test_the_same_refusal_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    registry = FakeRegistry(*[ControlRefusedError("403 no")] * 3)
    task = asyncio.create_task(Lease(registry, "default", "payment-v1-x", REGISTRATION).keep())
    for _ in range(4):
        await registry.calls.get()
    assert caplog.text.count("403 no") == 1
    task.cancel()


async def test_leaving_waits_for_the_registry_but_not_for_ever() -> None:
    registry = FakeRegistry()
    await Lease(registry, "default", "payment-v1-x", REGISTRATION).leave()
    assert await registry.calls.get() == f"DELETE default/payment-v1-x {LEAVE_SECONDS}"


async def test_leaving_a_registry_that_is_away_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    await Lease(FakeRegistry(ControlUnreachableError("refused")), "default", "p", REGISTRATION).leave()
    assert "the lease will end by itself" in caplog.text


async def test_who_remembers_the_lease_is_told_when_it_is_taken_and_when_it_is_given_back() -> None:
    noted: list[bool] = []
    registry = FakeRegistry()
    lease = Lease(registry, "default", "payment-v1-x", REGISTRATION, noted.append)
    task = asyncio.create_task(lease.keep())
    for _ in range(2):
        await registry.calls.get()
    task.cancel()
    await lease.leave()
    assert noted == [True, False]


async def test_a_lease_that_could_not_be_given_back_is_remembered() -> None:
    noted: list[bool] = []
    await Lease(FakeRegistry(ControlUnreachableError("refused")), "default", "p", REGISTRATION, noted.append).leave()
    assert noted == []


async def test_what_the_registry_says_of_probes_is_used_and_silence_is_none() -> None:
    registry = FakeRegistry(ControlUnreachableError("no"))
    told: asyncio.Queue[ReadinessProbe | None] = asyncio.Queue()
    lease = Lease(registry, "default", "payment-v1-x", REGISTRATION, use_probe=told.put_nowait)
    task = asyncio.create_task(lease.keep())
    assert [await told.get() for _ in range(2)] == [None, ReadinessProbe(port=8080)]
    task.cancel()
