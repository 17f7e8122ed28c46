from datetime import UTC, datetime

import msgspec
import pytest

from pymesh.control.mesh_config_source import MeshConfigSource
from pymesh.control.model.conditions import summary
from pymesh.control.model.serializer import decode
from pymesh.control.status import writer as writer_module
from pymesh.control.status.writer import StatusWriter
from pymesh.control.store.memory import MemoryStore
from pymesh.control.xds.status import ProxyStatus, TypeStatus


class Proxies:
    """Stands for the publisher."""

    def __init__(self) -> None:
        self.statuses: list[ProxyStatus] = []

    def at(self, *versions: int) -> None:
        synced = {"RDS": TypeStatus("SYNCED")}
        self.statuses = [ProxyStatus(f"p{i}", f"p{i}", "delta", version, synced) for i, version in enumerate(versions)]

    def connected(self) -> list[ProxyStatus]:
        return self.statuses

    def content_of(self, proxy: str):
        return {}


def rule(name="web"):
    spec = {"hosts": [name], "http": [{"route": [{"destination": {"host": "web"}}]}]}
    metadata = {"name": name, "namespace": "default"}
    return decode(
        {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata, "spec": spec}
    )


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def proxies():
    return Proxies()


@pytest.fixture
def writer(store, proxies):
    return StatusWriter(store, proxies, MeshConfigSource(), lambda: datetime(2026, 1, 1, tzinfo=UTC))


async def word(store, name="web"):
    return summary((await store.get("VirtualService", "default", name)).status)


async def test_an_object_is_in_force_when_the_proxies_have_come_to_its_revision(store, proxies, writer) -> None:
    created = await store.create(rule())
    proxies.at(0)
    await writer.look()
    assert await word(store) == "Pending"
    proxies.at(int(created.metadata.resource_version))
    await writer.look()
    assert await word(store) == "InForce"


async def test_the_writing_of_a_status_is_no_change_that_proxies_must_follow(store, proxies, writer) -> None:
    await store.create(rule())
    proxies.at(1)
    for _ in range(3):
        await writer.look()
    assert store.revision == 2, "one creation, one status"
    stored = await store.get("VirtualService", "default", "web")
    assert stored.metadata.generation == 1


async def test_an_object_that_its_author_changes_is_pending_again(store, proxies, writer) -> None:
    created = await store.create(rule())
    proxies.at(1)
    await writer.look()
    changed = msgspec.structs.replace(created, spec=rule("other").spec, written=None)
    await store.replace(changed, None)
    await writer.look()
    assert await word(store) == "Pending"


async def test_nothing_is_written_while_there_is_nobody_to_obey(store, proxies, writer) -> None:
    await store.create(rule())
    await writer.look()
    assert store.revision == 1
    proxies.at(1)
    await writer.look()
    proxies.at()
    await writer.look()
    assert await word(store) == "NoProxies"


async def test_a_proxy_that_comes_later_is_counted(store, proxies, writer) -> None:
    await store.create(rule())
    proxies.at(1)
    await writer.look()
    proxies.at(1, 1)
    await writer.look()
    stored = await store.get("VirtualService", "default", "web")
    assert stored.status["conditions"][0]["message"] == "2/2 proxies up to date"


async def test_what_one_look_may_not_write_is_written_by_the_next(store, proxies, writer, monkeypatch) -> None:
    monkeypatch.setattr(writer_module, "MOST_WRITES", 2)
    for number in range(3):
        await store.create(rule(f"web-{number}"))
    proxies.at(3)
    await writer.look()
    assert [await word(store, f"web-{number}") for number in range(3)] == ["", "InForce", "InForce"]
    await writer.look()
    assert await word(store, "web-0") == "InForce"
