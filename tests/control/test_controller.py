import asyncio
import logging

import pytest

from pymesh.control.controller import Controller
from pymesh.control.mesh_config_source import MeshConfigSource
from pymesh.control.metrics import ControlMetrics
from pymesh.control.model.serializer import decode
from pymesh.control.store.memory import MemoryStore


def service(name):
    metadata = {"name": name, "namespace": "default"}
    return decode({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": 80}]}})


def mesh_config_map(text):
    metadata = {"name": "istio", "namespace": "istio-system"}
    return decode({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"mesh": text}})


class Published:
    """Takes snapshots: (names of services, revision). `wait(revision)` returns when that one was published."""

    def __init__(self):
        self.all = []
        self._changed = asyncio.Event()

    def __call__(self, snapshot, revision):
        self.all.append((snapshot, revision))
        self._changed.set()

    async def wait(self, revision):
        while not self.all or self.all[-1][1] < revision:
            self._changed.clear()
            await self._changed.wait()
        return self.all[-1][0]


class NamesOf:
    """Stands for MeshSnapshot.build; a service named `bug` is one."""

    def __init__(self):
        self.failed = asyncio.Event()

    def __call__(self, resources, mesh, revision):
        names = sorted(resource.name for resource in resources)
        if "bug" in names:
            self.failed.set()
            raise RuntimeError("a bug in the build")
        return names


@pytest.fixture
async def names_of():
    return NamesOf()


@pytest.fixture
async def store():
    return MemoryStore()


@pytest.fixture
async def published():
    return Published()


@pytest.fixture
def metrics():
    return ControlMetrics()


@pytest.fixture
async def controller(store, published, metrics, names_of):
    running = asyncio.create_task(Controller(store, MeshConfigSource(), published, metrics, names_of).run())
    yield
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_what_is_there_at_the_start_is_published(store, published, metrics, names_of):
    await store.create(service("web"))
    running = asyncio.create_task(Controller(store, MeshConfigSource(), published, metrics, names_of).run())
    assert await published.wait(1) == ["web"]
    running.cancel()


async def test_an_empty_store_is_published_too(controller, published):
    assert await published.wait(0) == []


async def test_each_change_is_published(controller, store, published):
    await store.create(service("web"))
    assert await published.wait(1) == ["web"]
    await store.create(service("db"))
    assert await published.wait(2) == ["db", "web"]
    await store.delete("Service", "default", "web")
    assert await published.wait(3) == ["db"]


async def test_changes_that_come_together_are_published_together(controller, store, published):
    await published.wait(0)
    for number in range(50):
        await store.create(service(f"s{number}"))
    assert len(await published.wait(50)) == 50
    assert len(published.all) < 10


async def test_a_stream_of_changes_does_not_hold_up_the_first(controller, store, published):
    await published.wait(0)
    first_snapshot = asyncio.create_task(published.wait(1))
    for number in range(1000):  # much longer than a batch may last, without a quiet moment
        await store.create(service(f"s{number}"))
        await asyncio.sleep(0.005)
        if first_snapshot.done():
            break
    assert first_snapshot.done()
    assert number < 999


async def test_a_bug_costs_neither_the_loop_nor_the_last_good_snapshot(
    controller, store, published, names_of, caplog, metrics
):
    await store.create(service("web"))
    await published.wait(1)
    with caplog.at_level(logging.ERROR):
        await store.create(service("bug"))
        await store.create(service("db"))
        await names_of.failed.wait()
    assert published.all[-1] == (["web"], 1)
    assert "a bug in the build" in caplog.text
    await store.delete("Service", "default", "bug")
    assert await published.wait(4) == ["db", "web"]
    assert "pymesh_control_build_failures_total 1.0" in metrics.exposition()


async def test_a_watch_that_fell_behind_reads_everything_again(published, metrics, names_of):
    store = MemoryStore(history_limit=2)
    running = asyncio.create_task(Controller(store, MeshConfigSource(), published, metrics, names_of).run())
    await published.wait(0)
    await asyncio.gather(*(store.create(service(f"s{number}")) for number in range(20)))
    assert len(await published.wait(20)) == 20
    running.cancel()


async def test_the_stored_mesh_config_is_obeyed_with_the_next_snapshot(store, published, metrics):
    def mode_of(resources, mesh, revision):
        return mesh.outbound_traffic_policy.mode

    running = asyncio.create_task(Controller(store, MeshConfigSource(), published, metrics, mode_of).run())
    assert await published.wait(0) == "ALLOW_ANY"
    await store.create(mesh_config_map("outboundTrafficPolicy: {mode: REGISTRY_ONLY}"))
    assert await published.wait(1) == "REGISTRY_ONLY"
    await store.delete("ConfigMap", "istio-system", "istio")
    assert await published.wait(2) == "ALLOW_ANY"
    running.cancel()
