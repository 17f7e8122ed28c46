from pathlib import Path

import pytest

from pymesh.errors import UsageError
from pymesh.state_dir import (
    ControlAddresses,
    FileLock,
    StateDir,
    find_control_api,
    find_control_tls,
    open_state_dir,
    private_directory,
    write_private,
)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    monkeypatch.delenv("PYMESH_CONTROL", raising=False)
    monkeypatch.delenv("PYMESH_STATE_DIR", raising=False)


def test_flag_wins_over_environment_and_environment_over_home(monkeypatch, tmp_path):
    assert open_state_dir().path == Path.home() / ".pymesh"
    monkeypatch.setenv("PYMESH_STATE_DIR", str(tmp_path / "env"))
    assert open_state_dir().path == tmp_path / "env"
    assert open_state_dir(str(tmp_path / "flag")).path == tmp_path / "flag"


def test_control_is_found_at_its_default_ports_when_it_never_ran_here(tmp_path):
    assert find_control_api(None, StateDir(tmp_path)) == "http://127.0.0.1:15010"
    assert find_control_tls(None, StateDir(tmp_path)) == "https://127.0.0.1:15012"


def test_control_is_found_through_the_state_dir(tmp_path):
    state_dir = StateDir(tmp_path)
    private_directory(state_dir.control)
    write_private(state_dir.addresses, '{"listen": "http://127.0.0.1:1", "tls": "https://127.0.0.1:2"}')
    assert state_dir.read_addresses() == ControlAddresses("http://127.0.0.1:1", "https://127.0.0.1:2")
    assert find_control_api(None, state_dir) == "http://127.0.0.1:1"
    assert find_control_tls(None, state_dir) == "https://127.0.0.1:2"


def test_each_kind_of_client_takes_the_variable_of_its_scheme(monkeypatch, tmp_path):
    monkeypatch.setenv("PYMESH_CONTROL", "https://control:15012/")
    assert find_control_tls(None, StateDir(tmp_path)) == "https://control:15012"
    assert find_control_api(None, StateDir(tmp_path)) == "http://127.0.0.1:15010"


def test_a_proxy_refuses_a_plaintext_control_flag(tmp_path):
    with pytest.raises(UsageError, match="must begin with https://"):
        find_control_tls("http://127.0.0.1:15010", StateDir(tmp_path))


def test_a_damaged_addresses_file_is_a_usage_error(tmp_path):
    state_dir = StateDir(tmp_path)
    private_directory(state_dir.control)
    write_private(state_dir.addresses, "{")
    with pytest.raises(UsageError, match=r"addresses\.json"):
        state_dir.read_addresses()


def test_private_files_and_directories_are_for_the_owner_only(tmp_path):
    directory = private_directory(tmp_path / "a" / "b")
    write_private(directory / "key", b"secret")
    write_private(directory / "key", b"secret2")
    assert (directory / "key").read_bytes() == b"secret2"
    assert (directory / "key").stat().st_mode & 0o777 == 0o600
    assert directory.stat().st_mode & 0o777 == 0o700
    assert directory.parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in directory.iterdir()] == ["key"]


def test_a_lock_is_held_once_and_can_be_taken_after_its_release(tmp_path):
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire()
    second.release()
