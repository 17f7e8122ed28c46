"""One configuration for several workers, which write down what they are told instead of obeying."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pymesh.proxy.data_plane import DataPlaneSpec
from pymesh.proxy.tls.certificates import CertificateValidation, SecretConfig
from pymesh.proxy.tls.secrets import SecretStore
from pymesh.proxy.workers.breaker_cells import BreakerCells
from pymesh.proxy.workers.channel import ChannelClosedError
from pymesh.proxy.workers.config_fanout import ConfigFanout
from pymesh.proxy.workers.messages import Applied, Apply, ApplySecret, Start
from pymesh.xds import CLUSTER, Address, DeltaResource, DeltaResponse, Node

ADDRESSES = {"http_proxy": Address("127.0.0.1", 15001)}


class FakeWorker:
    """Refuses resources of these names; one with `dies_of` is gone when it is told that."""

    started_at = 0.0

    def __init__(self, place: int, refuses: tuple[str, ...] = (), dies_of: str = "") -> None:
        self.may_start = asyncio.Event()
        self.may_start.set()
        self.place = place
        self.pid = 100 + place
        self.journal: list[str] = []
        self.is_killed = False
        self._refuses = refuses
        self._dies_of = dies_of

    async def call(self, request: Any, answer: Any) -> Any:
        await asyncio.sleep(0)
        match request:
            case Start():
                await self.may_start.wait()
                self.journal.append("start")
            case ApplySecret(secret):
                self.journal.append(f"secret {secret.name}")
            case Apply(responses):
                return self._apply(responses)
        return None

    def kill(self) -> None:
        self.is_killed = True

    def _apply(self, responses: tuple[DeltaResponse, ...]) -> Applied:
        names = [resource.name for response in responses for resource in response.resources]
        if self._dies_of in names:
            raise ChannelClosedError("the process is gone")
        self.journal += names
        refused = {name: f"bad {name}" for name in names if name in self._refuses}
        return Applied({response.type_url: refused for response in responses}, ADDRESSES)


class Fanout:
    """`held` is what new workers are to obey."""

    def __init__(self, workers: int) -> None:
        self.held: list[DeltaResponse] = []
        self.secrets = SecretStore()
        self.cells = BreakerCells(workers)
        self.fanout = ConfigFanout(
            DataPlaneSpec(Node("n"), "", "", workers), self.secrets, lambda: self.held, self.cells
        )


@pytest.fixture
def make() -> Iterator[Callable[[int], Fanout]]:
    with contextlib.ExitStack() as stack:

        def make_fanout(workers: int) -> Fanout:
            fanout = Fanout(workers)
            stack.callback(fanout.cells.close)
            return fanout

        yield make_fanout


def clusters(*names: str) -> DeltaResponse:
    return DeltaResponse(CLUSTER, "n", tuple(DeltaResource(name, "1", {"name": name}) for name in names))


async def test_all_workers_get_the_configuration(make: Callable[[int], Fanout]) -> None:
    fanout = make(2).fanout
    one, two = FakeWorker(0), FakeWorker(1)
    await fanout.introduce(one)
    await fanout.introduce(two)
    assert await fanout.apply([clusters("a", "b")]) == {CLUSTER: {}}
    assert one.journal == two.journal == ["start", "a", "b"]
    assert fanout.addresses == ADDRESSES


async def test_what_the_first_worker_refuses_no_other_sees(make: Callable[[int], Fanout]) -> None:
    fanout = make(2).fanout
    one, two = FakeWorker(0, refuses=("bad",)), FakeWorker(1)
    await fanout.introduce(one)
    await fanout.introduce(two)
    assert await fanout.apply([clusters("bad", "good")]) == {CLUSTER: {"bad": "bad bad"}}
    assert two.journal == ["start", "good"]


async def test_what_only_a_later_worker_refuses_is_refused(make: Callable[[int], Fanout]) -> None:
    fanout = make(2).fanout
    await fanout.introduce(FakeWorker(0))
    await fanout.introduce(FakeWorker(1, refuses=("bad",)))
    assert await fanout.apply([clusters("bad", "good")]) == {CLUSTER: {"bad": "bad bad"}}


async def test_the_first_configuration_waits_for_all_workers(make: Callable[[int], Fanout]) -> None:
    fanout = make(2).fanout
    one, two = FakeWorker(0), FakeWorker(1)
    await fanout.introduce(one)
    applying = asyncio.create_task(fanout.apply([clusters("a")]))
    await asyncio.sleep(0.01)
    assert not applying.done()
    await fanout.introduce(two)
    await applying
    assert two.journal == ["start", "a"]


async def test_a_worker_that_cannot_start_holds_nobody_up(make: Callable[[int], Fanout]) -> None:
    fanout = make(2).fanout
    await fanout.introduce(FakeWorker(0))
    fanout.expect_no_more(1)
    assert await fanout.apply([clusters("a")]) == {CLUSTER: {}}


async def test_a_new_worker_gets_secrets_and_what_is_held_before_it_counts(make: Callable[[int], Fanout]) -> None:
    scene = make(1)
    scene.secrets.apply(SecretConfig("ROOTCA", validation=CertificateValidation(trusted_ca="pem")))
    scene.held = [clusters("a")]
    worker = FakeWorker(0)
    await scene.fanout.introduce(worker)
    assert worker.journal == ["start", "secret ROOTCA", "a"]
    assert scene.fanout.workers == {0: worker}


async def test_others_are_configured_while_a_new_worker_starts(make: Callable[[int], Fanout]) -> None:
    scene = make(2)
    await scene.fanout.introduce(FakeWorker(0))
    scene.fanout.expect_no_more(1)
    late = FakeWorker(1)
    late.may_start.clear()
    starting = asyncio.create_task(scene.fanout.introduce(late))
    await scene.fanout.apply([clusters("a")])
    scene.held = [clusters("a")]
    late.may_start.set()
    await starting
    assert late.journal == ["start", "a"]


async def test_a_new_secret_reaches_all(make: Callable[[int], Fanout]) -> None:
    scene = make(2)
    workers = [FakeWorker(place) for place in range(2)]
    for worker in workers:
        await scene.fanout.introduce(worker)
    scene.secrets.apply(SecretConfig("default", validation=CertificateValidation(trusted_ca="pem")))
    await scene.fanout.apply_secret("default")
    assert [worker.journal[-1] for worker in workers] == ["secret default"] * 2


async def test_when_a_judge_dies_the_next_one_judges(make: Callable[[int], Fanout]) -> None:
    fanout = make(2).fanout
    await fanout.introduce(FakeWorker(0, dies_of="a"))
    survivor = FakeWorker(1)
    await fanout.introduce(survivor)
    assert await fanout.apply([clusters("a")]) == {CLUSTER: {}}
    assert fanout.workers == {1: survivor}


async def test_a_resource_of_which_workers_die_is_refused(make: Callable[[int], Fanout]) -> None:
    fanout = make(3).fanout
    for place in range(3):
        await fanout.introduce(FakeWorker(place, dies_of="poison"))
    assert await fanout.apply([clusters("poison")]) == {CLUSTER: {"poison": "worker processes die of it"}}
    assert list(fanout.workers) == [2]


async def test_a_worker_that_dies_while_it_follows_refuses_nothing(make: Callable[[int], Fanout]) -> None:
    fanout = make(2).fanout
    await fanout.introduce(FakeWorker(0))
    await fanout.introduce(FakeWorker(1, dies_of="a"))
    assert await fanout.apply([clusters("a")]) == {CLUSTER: {}}
    assert list(fanout.workers) == [0]


async def test_without_a_worker_a_configuration_waits_for_the_next(make: Callable[[int], Fanout]) -> None:
    fanout = make(1).fanout
    gone = FakeWorker(0)
    await fanout.introduce(gone)
    fanout.forget(gone)
    applying = asyncio.create_task(fanout.apply([clusters("a")]))
    await asyncio.sleep(0.01)
    assert not applying.done()
    successor = FakeWorker(0)
    await fanout.introduce(successor)
    assert await applying == {CLUSTER: {}}
    assert successor.journal == ["start", "a"]
