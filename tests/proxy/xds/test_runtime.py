"""The runtime and its writer, with handlers that write down what they are told instead of a data plane."""

from pathlib import Path
from typing import Any

import pytest

from pymesh.errors import PymeshError
from pymesh.protojson import Reader
from pymesh.proxy.xds.config_writer import ConfigWriter, Handler
from pymesh.proxy.xds.disk_cache import DiskCache
from pymesh.proxy.xds.runtime import Runtime
from pymesh.xds import CLUSTER, ENDPOINT, LISTENER, TYPES, DeltaResource, DeltaResponse


class Recorder:
    """Obeys every type; `journal` is what happened. A resource with `busy` decodes well and is refused then, as long as
    `is_busy`."""

    def __init__(self) -> None:
        self.journal: list[str] = []
        self.is_busy = True

    def handlers(self) -> dict[str, Handler]:
        return {type_url: Handler(self._decode, self._apply, self._remove) for type_url in TYPES}

    def _decode(self, reader: Reader) -> tuple[str, str, bool]:
        if reader.boolean("bug"):
            raise KeyError("oops")
        return reader.required_string("name"), reader.string("value"), reader.boolean("busy")

    async def _apply(self, config: tuple[str, str, bool]) -> None:
        name, value, busy = config
        if busy and self.is_busy:
            raise PymeshError("address already in use")
        self.journal.append(f"+{name}{value}")

    async def _remove(self, name: str) -> None:
        self.journal.append(f"-{name}")


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def runtime(recorder: Recorder, tmp_path: Path) -> Runtime:
    return Runtime(ConfigWriter(recorder.handlers()).apply, DiskCache(tmp_path / "config.json"))


def resource(name: str, version: str = "1", **fields: Any) -> DeltaResource:
    return DeltaResource(name, version, {"@type": "t", "name": name, **fields})


def response(type_url: str, *resources: DeltaResource, removed: tuple[str, ...] = ()) -> DeltaResponse:
    return DeltaResponse(type_url, "nonce", resources, removed)


async def test_resources_are_applied_clusters_first_whatever_the_order_of_the_answer(
    runtime: Runtime, recorder: Recorder
) -> None:
    await runtime.apply([response(LISTENER, resource("l")), response(CLUSTER, resource("c"))])
    assert recorder.journal == ["+c", "+l"]


async def test_removals_come_after_all_additions_and_listeners_go_first(runtime: Runtime, recorder: Recorder) -> None:
    await runtime.apply([response(LISTENER, resource("l")), response(CLUSTER, resource("c"))])
    recorder.journal.clear()
    await runtime.apply(
        [response(CLUSTER, resource("c2"), removed=("c",)), response(LISTENER, resource("l2"), removed=("l",))]
    )
    assert recorder.journal == ["+c2", "+l2", "-l", "-c"]


async def test_a_bad_resource_is_named_with_the_path_of_its_field_and_the_others_apply(
    runtime: Runtime, recorder: Recorder
) -> None:
    rejections = await runtime.apply([response(CLUSTER, resource("bad", value=3), resource("good"))])
    assert rejections == {CLUSTER: {"bad": "value: must be a string, not a number"}}
    assert recorder.journal == ["+good"]


async def test_a_field_that_nobody_reads_is_refused(runtime: Runtime) -> None:
    rejections = await runtime.apply([response(CLUSTER, resource("c", surprise=1))])
    assert rejections == {CLUSTER: {"c": "surprise: this proxy does not know the field"}}


async def test_the_last_good_version_of_a_refused_resource_stays(runtime: Runtime, recorder: Recorder) -> None:
    await runtime.apply([response(CLUSTER, resource("c", "1"))])
    await runtime.apply([response(CLUSTER, resource("c", "2", value=3))])
    assert runtime.held[CLUSTER]["c"].version == "1"
    assert recorder.journal == ["+c"]
    assert runtime.rejected[CLUSTER] == {"c": "value: must be a string, not a number"}


async def test_a_refusal_is_forgotten_with_the_next_good_version(runtime: Runtime) -> None:
    await runtime.apply([response(LISTENER, resource("l", busy=True))])
    assert runtime.rejected[LISTENER] == {"l": "address already in use"}
    assert await runtime.apply([response(LISTENER, resource("l", "2"))]) == {LISTENER: {}}
    assert runtime.rejected[LISTENER] == {}


async def test_what_was_accepted_and_what_was_refused_is_counted(runtime: Runtime) -> None:
    await runtime.apply([response(CLUSTER, resource("a"), resource("b")), response(LISTENER, resource("l", busy=True))])
    await runtime.apply([response(CLUSTER, resource("a", value=3), resource("b", value=3))])
    assert (runtime.updates, runtime.rejections) == (1, 3)


async def test_a_bug_met_by_one_resource_does_not_cost_the_others(runtime: Runtime, recorder: Recorder) -> None:
    rejections = await runtime.apply([response(ENDPOINT, resource("x", bug=True), resource("y"))])
    assert rejections == {ENDPOINT: {"x": "internal error: KeyError('oops')"}}
    assert recorder.journal == ["+y"]


async def test_removing_what_was_never_accepted_tells_nobody(runtime: Runtime, recorder: Recorder) -> None:
    await runtime.apply([response(CLUSTER, removed=("never",))])
    assert recorder.journal == []


async def test_a_proxy_starts_again_with_what_it_accepted(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "config.json")
    before = Runtime(ConfigWriter(Recorder().handlers()).apply, cache)
    await before.apply([response(CLUSTER, resource("c", "7"), resource("bad", value=3))])
    cache.flush()
    recorder = Recorder()
    after = Runtime(ConfigWriter(recorder.handlers()).apply, DiskCache(tmp_path / "config.json"))
    assert await after.load()
    assert recorder.journal == ["+c"]
    assert after.held == before.held


async def test_nothing_on_disk_is_nothing_to_load(runtime: Runtime) -> None:
    assert not await runtime.load()


async def test_a_refused_listener_is_accepted_when_that_is_possible(runtime: Runtime, recorder: Recorder) -> None:
    busy = resource("busy", busy=True)
    await runtime.apply([response(LISTENER, busy, resource("free"))])
    assert runtime.has_refused_listener.is_set()
    assert await runtime.retry_listeners() == []
    assert runtime.rejected[LISTENER] == {"busy": "address already in use"}
    recorder.is_busy = False
    assert await runtime.retry_listeners() == ["busy"]
    assert runtime.held[LISTENER]["busy"] is busy
    assert runtime.rejected[LISTENER] == {}
    assert not runtime.has_refused_listener.is_set()
    assert recorder.journal == ["+free", "+busy"]
    assert (runtime.updates, runtime.rejections) == (0, 1)


async def test_a_refused_listener_that_was_removed_or_replaced_is_not_tried_again(
    runtime: Runtime, recorder: Recorder
) -> None:
    await runtime.apply([response(LISTENER, resource("a", busy=True), resource("b", busy=True))])
    await runtime.apply([response(LISTENER, resource("b", "2", value="2"), removed=("a",))])
    assert not runtime.has_refused_listener.is_set()
    recorder.is_busy = False
    assert await runtime.retry_listeners() == []
    assert recorder.journal == ["+b2"]
