"""What every ConfigStore must do."""

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest

from pymesh.control.model.resource import Resource
from pymesh.control.store.errors import AlreadyExistsError, ConflictError, NotFoundError, RevisionGoneError
from pymesh.control.store.store import ConfigStore, Event

Entry = Callable[..., Resource]


async def take(watch: AsyncIterator[Event], count: int) -> list[Event]:
    return [await asyncio.wait_for(anext(watch), 5) for _ in range(count)]


async def test_a_new_store_is_empty_at_revision_0(store: ConfigStore) -> None:
    assert (store.revision, await store.list(), await store.get("WorkloadEntry", "a", "b")) == (0, [], None)


async def test_create_sets_what_only_the_store_may_set(store: ConfigStore, entry: Entry) -> None:
    wrong = msgspec.structs.replace(entry("a").metadata, uid="mine", resource_version="77", generation=9)
    created = await store.create(msgspec.structs.replace(entry("a"), metadata=wrong))
    metadata = created.metadata
    assert metadata.creation_timestamp == "2026-01-02T03:04:05.000679Z"
    assert (metadata.resource_version, metadata.generation, len(metadata.uid)) == ("1", 1, 36)
    assert await store.get("WorkloadEntry", "default", "a") == created


async def test_create_refuses_a_name_that_is_taken(store: ConfigStore, entry: Entry) -> None:
    await store.create(entry("a"))
    await store.create(entry("a", namespace="other"))
    with pytest.raises(AlreadyExistsError, match="WorkloadEntry default/a already exists"):
        await store.create(entry("a"))
    assert store.revision == 2


async def test_replace_keeps_identity_and_counts_the_change(store: ConfigStore, entry: Entry) -> None:
    created = await store.create(entry("a"))
    replaced = await store.replace(entry("a", weight=5), created.metadata.resource_version)
    assert replaced.spec.weight == 5
    assert replaced.metadata.creation_timestamp == created.metadata.creation_timestamp
    assert replaced.metadata.uid == created.metadata.uid
    assert (replaced.metadata.generation, replaced.metadata.resource_version) == (2, "2")


async def test_a_change_of_metadata_or_status_leaves_the_generation(store: ConfigStore, entry: Entry) -> None:
    await store.create(entry("a"))
    labelled = await store.replace(entry("a", labels={"app": "a"}), None)
    with_status = await store.replace(msgspec.structs.replace(labelled, status={"conditions": []}), None)
    assert with_status.status == {"conditions": []}
    assert (with_status.metadata.generation, with_status.metadata.resource_version) == (1, "3")


async def test_replace_with_the_same_changes_nothing(store: ConfigStore, entry: Entry) -> None:
    created = await store.create(entry("a", weight=1))
    assert await store.replace(entry("a", weight=1), None) == created
    assert store.revision == 1


async def test_replace_refuses_a_stale_version(store: ConfigStore, entry: Entry) -> None:
    await store.create(entry("a"))
    await store.replace(entry("a", weight=1), "1")
    with pytest.raises(ConflictError, match="resourceVersion 2, not 1"):
        await store.replace(entry("a", weight=2), "1")
    assert (await store.replace(entry("a", weight=3), None)).spec.weight == 3


async def test_what_is_not_there_cannot_be_replaced_or_deleted(store: ConfigStore, entry: Entry) -> None:
    with pytest.raises(NotFoundError, match="WorkloadEntry default/a not found"):
        await store.replace(entry("a"), None)
    with pytest.raises(NotFoundError):
        await store.delete("WorkloadEntry", "default", "a")
    assert store.revision == 0


async def test_delete_returns_the_last_state_and_takes_a_revision(store: ConfigStore, entry: Entry) -> None:
    await store.create(entry("a", weight=7))
    deleted = await store.delete("WorkloadEntry", "default", "a")
    assert (deleted.spec.weight, deleted.metadata.resource_version, store.revision) == (7, "2", 2)
    assert await store.list() == []


async def test_delete_refuses_a_stale_version(store: ConfigStore, entry: Entry) -> None:
    await store.create(entry("a"))
    with pytest.raises(ConflictError):
        await store.delete("WorkloadEntry", "default", "a", "9")


async def test_list_is_ordered_and_filtered(store: ConfigStore, entry: Entry) -> None:
    for name, namespace in (("b", "two"), ("c", "one"), ("a", "one")):
        await store.create(entry(name, namespace))
    assert [r.name for r in await store.list("WorkloadEntry")] == ["a", "c", "b"]
    assert [r.name for r in await store.list(namespace="two")] == ["b"]
    assert await store.list("Gateway") == []


async def test_watch_replays_from_a_revision_and_goes_on(store: ConfigStore, entry: Entry) -> None:
    await store.create(entry("a"))
    await store.create(entry("b"))
    watch = store.watch(1)
    assert [(e.type, e.resource.name, e.revision) for e in await take(watch, 1)] == [("ADDED", "b", 2)]
    pending = asyncio.create_task(take(watch, 2))
    await store.replace(entry("a", weight=1), None)
    await store.delete("WorkloadEntry", "default", "b")
    modified, deleted = await pending
    assert (modified.type, modified.previous.spec.weight, modified.resource.spec.weight) == ("MODIFIED", 0, 1)
    assert (deleted.type, deleted.resource.metadata.resource_version) == ("DELETED", "4")


async def test_every_watcher_sees_every_event(store: ConfigStore, entry: Entry) -> None:
    watches = [asyncio.create_task(take(store.watch(0), 3)) for _ in range(5)]
    for name in "abc":
        await store.create(entry(name))
    assert {tuple(e.resource.name for e in await watch) for watch in watches} == {("a", "b", "c")}


async def test_a_watch_from_a_revision_that_is_not_kept_is_refused(store: ConfigStore, entry: Entry) -> None:
    for name in "abcdefg":
        await store.create(entry(name))
    with pytest.raises(RevisionGoneError):
        await take(store.watch(2), 1)
    assert [e.resource.name for e in await take(store.watch(3), 4)] == ["d", "e", "f", "g"]


async def test_a_watch_from_the_future_is_refused(store: ConfigStore) -> None:
    with pytest.raises(RevisionGoneError):
        await take(store.watch(1), 1)


async def test_a_watcher_that_fell_behind_is_told(store: ConfigStore, entry: Entry) -> None:
    watch = store.watch(0)
    await store.create(entry("a"))
    await take(watch, 1)
    for name in "bcdefgh":
        await store.create(entry(name))
    with pytest.raises(RevisionGoneError):
        await take(watch, 8)


async def test_concurrent_writers_get_revisions_of_their_own(store: ConfigStore, entry: Entry) -> None:
    created = await asyncio.gather(*(store.create(entry(f"e{n}")) for n in range(20)))
    assert sorted(int(r.metadata.resource_version) for r in created) == list(range(1, 21))


async def test_of_two_writers_with_one_version_one_wins(store: ConfigStore, entry: Entry) -> None:
    await store.create(entry("a"))
    results = await asyncio.gather(
        *(store.replace(entry("a", weight=n), "1") for n in (1, 2, 3)), return_exceptions=True
    )
    assert sum(isinstance(result, ConflictError) for result in results) == 2


async def test_a_cancelled_write_happens_whole_or_not_at_all(store: ConfigStore, entry: Entry) -> None:
    write = asyncio.create_task(store.create(entry("a")))
    await asyncio.sleep(0)
    write.cancel()
    with pytest.raises(asyncio.CancelledError):
        await write
    second = await store.create(entry("b"))  # writes are in order, so the first has ended
    assert len(await store.list()) == int(second.metadata.resource_version) == store.revision
