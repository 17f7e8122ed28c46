"""A store in one SQLite file: a MemoryStore whose journal is a table. Reads never touch the disk.

The file holds private keys (Secrets): mode 0600. That one process at a time has it open is the caller's to see to.
"""

import asyncio
import logging
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from pymesh.control.model.resource import Resource
from pymesh.control.model.serializer import decode_stored, encode
from pymesh.control.store.errors import StoreError
from pymesh.control.store.history import HISTORY_LIMIT
from pymesh.control.store.memory import MemoryStore
from pymesh.control.store.store import Event
from pymesh.errors import ValidationError

log = logging.getLogger(__name__)

_SCHEMA_VERSION = 1
_SCHEMA = f"""
BEGIN;
CREATE TABLE objects (
    kind TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    object BLOB NOT NULL,
    PRIMARY KEY (kind, namespace, name)
) WITHOUT ROWID;
CREATE TABLE revision (current INTEGER NOT NULL);
INSERT INTO revision VALUES (0);
PRAGMA user_version = {_SCHEMA_VERSION};
COMMIT;
"""


def open_sqlite_store(
    path: Path, now: Callable[[], datetime] | None = None, history_limit: int = HISTORY_LIMIT
) -> MemoryStore:
    """The store in the file at `path`, which is made where there is none. Raises StoreError."""
    try:
        connection = _connect(path)
        resources, revision = _load(connection)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path}: {error}") from error
    journal = SqliteJournal(connection, path)
    if now is None:
        return MemoryStore(resources, revision, journal, history_limit=history_limit)
    return MemoryStore(resources, revision, journal, now, history_limit)


class SqliteJournal:
    """Writes each event in a transaction of its own, synced to the disk, in one thread beside the event loop."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite")

    async def write(self, event: Event) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._thread, self._write, event)
        except sqlite3.Error as error:
            raise StoreError(f"{self._path}: {error}") from error

    async def aclose(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown()

    def _write(self, event: Event) -> None:
        key = event.resource.key
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            if event.type == "DELETED":
                self._connection.execute("DELETE FROM objects WHERE kind = ? AND namespace = ? AND name = ?", key)
            else:
                content = msgspec.json.encode(encode(event.resource))
                self._connection.execute("REPLACE INTO objects VALUES (?, ?, ?, ?)", (*key, content))
            self._connection.execute("UPDATE revision SET current = ?", (event.revision,))


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite gives its other files the same mode
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        connection.executescript(_SCHEMA)
    elif version != _SCHEMA_VERSION:
        raise StoreError(f"{path}: was written by another version of pymesh (schema {version})")
    return connection


def _load(connection: sqlite3.Connection) -> tuple[list[Resource[Any]], int]:
    resources = []
    for kind, namespace, name, content in connection.execute("SELECT kind, namespace, name, object FROM objects"):
        try:
            resources.append(decode_stored(msgspec.json.decode(content)))
        except (ValidationError, msgspec.DecodeError) as error:
            # It stays in the file for the version of pymesh that understands it.
            log.warning("stored %s %s/%s is not understood and not used: %s", kind, namespace, name, error)
    (revision,) = connection.execute("SELECT current FROM revision").fetchone()
    return resources, int(revision)
