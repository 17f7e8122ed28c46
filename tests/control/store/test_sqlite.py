"""What a store on disk does beyond the contract: it survives."""

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pymesh.control.model.resource import Resource
from pymesh.control.model.serializer import decode
from pymesh.control.store.errors import RevisionGoneError, StoreError
from pymesh.control.store.sqlite import open_sqlite_store


def entry(name: str, weight: int = 0) -> Resource[Any]:
    return decode(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "WorkloadEntry",
            "metadata": {"name": name},
            "spec": {"address": "10.0.0.1", "weight": weight},
            "status": {"conditions": [{"type": "Healthy", "status": "True"}]},
        }
    )


async def test_everything_survives_a_restart(tmp_path: Path) -> None:
    store = open_sqlite_store(tmp_path / "state.db")
    kept = await store.create(entry("a"))
    changed = await store.replace(entry("a", weight=3), None)
    await store.create(entry("b"))
    await store.delete("WorkloadEntry", "default", "b")
    await store.aclose()

    reopened = open_sqlite_store(tmp_path / "state.db")
    (resource,) = await reopened.list()
    assert resource == changed
    assert resource.metadata.creation_timestamp == kept.metadata.creation_timestamp
    assert reopened.revision == 4
    await reopened.aclose()


async def test_a_secret_survives_with_its_bytes(tmp_path: Path) -> None:
    store = open_sqlite_store(tmp_path / "state.db")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"key": "kä\n"}}
    created = await store.create(decode(secret))
    await store.aclose()
    reopened = open_sqlite_store(tmp_path / "state.db")
    assert await reopened.list() == [created]
    assert (await reopened.list())[0].spec.data == {"key": "kä\n".encode()}
    await reopened.aclose()


async def test_the_spec_comes_back_as_it_was_written(tmp_path: Path) -> None:
    store = open_sqlite_store(tmp_path / "state.db")
    created = await store.create(entry("a", weight=0))
    await store.aclose()
    reopened = open_sqlite_store(tmp_path / "state.db")
    (resource,) = await reopened.list()
    assert resource.written_fields == created.written_fields == {"address": "10.0.0.1", "weight": 0}
    await reopened.aclose()


async def test_a_watch_across_a_restart_starts_at_the_last_revision(tmp_path: Path) -> None:
    store = open_sqlite_store(tmp_path / "state.db")
    await store.create(entry("a"))
    await store.create(entry("b"))
    await store.aclose()
    reopened = open_sqlite_store(tmp_path / "state.db")
    with pytest.raises(RevisionGoneError):
        await anext(reopened.watch(1))
    watch = reopened.watch(2)
    await reopened.create(entry("c"))
    assert (await asyncio.wait_for(anext(watch), 5)).resource.name == "c"
    await reopened.aclose()


async def test_its_files_are_for_the_owner_only(tmp_path: Path) -> None:
    store = open_sqlite_store(tmp_path / "deep" / "state.db")
    await store.create(entry("a"))
    files = list((tmp_path / "deep").iterdir())
    assert len(files) == 3  # the database, its write-ahead log, its shared memory
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    await store.aclose()


def test_a_file_that_is_no_database_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_text("hello " * 500)
    with pytest.raises(StoreError, match=r"state\.db: file is not a database"):
        open_sqlite_store(tmp_path / "state.db")


def test_a_file_of_another_schema_is_a_clear_error(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="another version of pymesh"):
        open_sqlite_store(tmp_path / "state.db")


async def test_a_write_that_the_disk_refuses_did_not_happen(tmp_path: Path) -> None:
    store = open_sqlite_store(tmp_path / "state.db")
    await store.create(entry("a"))
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute("CREATE TRIGGER full BEFORE UPDATE ON revision BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    with pytest.raises(StoreError, match="disk full"):
        await store.create(entry("b"))
    assert (len(await store.list()), store.revision) == (1, 1)
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute("DROP TRIGGER full")
    assert (await store.create(entry("b"))).metadata.resource_version == "2"
    await store.aclose()


async def test_an_object_that_is_not_understood_stays_in_the_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_sqlite_store(tmp_path / "state.db")
    await store.create(entry("a"))
    await store.aclose()
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute(
            """INSERT INTO objects VALUES ('Sidecar', 'x', 'y', '{"apiVersion": "n/v1", "kind": "S"}')"""
        )
    reopened = open_sqlite_store(tmp_path / "state.db")
    assert [r.name for r in await reopened.list()] == ["a"]
    assert "Sidecar x/y is not understood" in caplog.text
    await reopened.aclose()
    with sqlite3.connect(tmp_path / "state.db") as connection:
        assert connection.execute("SELECT count(*) FROM objects").fetchone() == (2,)


_WRITER = """
import asyncio, sys
from pathlib import Path
from pymesh.control.model.serializer import decode
from pymesh.control.store.sqlite import open_sqlite_store

async def main():
    store = open_sqlite_store(Path(sys.argv[1]))
    for n in range(100_000):
        meta = {"name": f"e{n}"}
        await store.create(decode({"apiVersion": "networking.istio.io/v1", "kind": "WorkloadEntry", "metadata": meta,
                                   "spec": {"address": "10.0.0.1"}}))
        print(n, flush=True)

asyncio.run(main())
"""


def _written_until_killed(path: Path, wait_for: int, kill: Callable[[int, int], None] = os.kill) -> int:
    """The number of the last write that a process acknowledged before it was killed in the middle of its work."""
    with subprocess.Popen([sys.executable, "-c", _WRITER, path], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        acknowledged = -1
        for line in writer.stdout:
            acknowledged = int(line)
            if acknowledged == wait_for:
                kill(writer.pid, signal.SIGKILL)
        return acknowledged


async def test_a_crash_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    acknowledged = _written_until_killed(tmp_path / "state.db", wait_for=20)
    store = open_sqlite_store(tmp_path / "state.db")
    names = {resource.name for resource in await store.list()}
    assert {f"e{n}" for n in range(acknowledged + 1)} <= names
    assert store.revision == len(names)
    await store.aclose()
