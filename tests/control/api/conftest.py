"""The API over a store in memory, with a client."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from pymesh.control.api.routes import api_routes
from pymesh.control.store.memory import MemoryStore


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    opened = MemoryStore(history_limit=5)
    yield opened
    await opened.aclose()


@pytest.fixture
async def client(store: MemoryStore) -> AsyncIterator[TestClient[Any, Any]]:
    app = web.Application()
    app.add_routes(api_routes(store))
    async with TestClient(TestServer(app)) as opened:
        yield opened
