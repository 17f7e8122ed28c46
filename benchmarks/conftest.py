"""What the micro benchmarks share."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hot_path import HotPath


@pytest.fixture
def hot_path() -> Iterator[Any]:
    loop = asyncio.new_event_loop()
    yield lambda response: HotPath(loop, response)
    loop.close()
