"""Every store that must keep the contract, opened anew for each test."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pymesh.control.model.resource import Resource
from pymesh.control.model.serializer import decode
from pymesh.control.model.workload_entry import WorkloadEntry
from pymesh.control.store.memory import MemoryStore
from pymesh.control.store.sqlite import open_sqlite_store
from pymesh.control.store.store import ConfigStore

HISTORY_LIMIT = 4


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.time += timedelta(microseconds=1)
        return self.time


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ConfigStore]:
    if request.param == "memory":
        opened = MemoryStore(now=Clock(), history_limit=HISTORY_LIMIT)
    else:
        opened = open_sqlite_store(tmp_path / "state.db", Clock(), HISTORY_LIMIT)
    yield opened
    await opened.aclose()


@pytest.fixture
def entry() -> Callable[..., Resource[WorkloadEntry]]:
    def make(name: str, namespace: str = "default", weight: int = 0, labels: dict[str, str] | None = None) -> Resource:
        return decode(
            {
                "apiVersion": "networking.istio.io/v1",
                "kind": "WorkloadEntry",
                "metadata": {"name": name, "namespace": namespace, "labels": labels or {}},
                "spec": {"address": "10.0.0.1", "weight": weight},
            }
        )

    return make
