import stat
from pathlib import Path

import pytest

from pymesh.proxy.xds.disk_cache import DiskCache, no_resources
from pymesh.xds import CLUSTER, DeltaResource

HELD = no_resources() | {CLUSTER: {"c": DeltaResource("c", "1", {"name": "c"})}}


async def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "config.json")
    cache.save_soon(HELD)
    cache.flush()
    assert cache.load() == HELD


async def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "config.json")
    cache.save_soon(HELD)
    cache.flush()
    assert stat.S_IMODE(cache.file.stat().st_mode) == 0o600


async def test_nothing_is_written_where_nothing_changed(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "config.json")
    cache.flush()
    assert not cache.file.exists()


async def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"resources": 3}')
    assert DiskCache(file).load() is None
    assert "cannot be read" in caplog.text


async def test_a_disk_that_refuses_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = DiskCache(tmp_path / "missing" / "config.json")
    cache.save_soon(HELD)
    cache.flush()
    assert "configuration was not saved" in caplog.text
