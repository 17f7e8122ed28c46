"""What one proxy owns on disk over its restarts: a directory under a lock, its name, the ports it listened on.

Two proxies of the same service and version on one machine get two directories; one that restarts finds its own again.
"""

import logging
import secrets
from pathlib import Path

import msgspec

from pymesh.errors import UsageError
from pymesh.state_dir import FileLock, StateDir, private_directory, write_private

log = logging.getLogger(__name__)

_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # Kubernetes': no vowels, no words
_MOST_INSTANCES = 1000


class _Saved(msgspec.Struct):
    name: str = ""
    ports: dict[str, int] = {}
    is_registered: bool = False


class Instance:
    """A claimed directory. `name` is the WorkloadEntry's name, `ports` the chosen port of each socket by its role.

    `is_registered`: the registry was told of it and not told that it leaves; of a proxy that starts, that the one
    before it was killed.
    """

    def __init__(self, directory: Path, workload_name: str, lock: FileLock) -> None:
        self.directory = directory
        self.config_file = directory / "config.json"
        self._file = directory / "instance.json"
        self._lock = lock
        saved = _load(self._file)
        self.name = saved.name or f"{workload_name}-{_random_suffix()}"
        self.ports: dict[str, int] = saved.ports
        self.is_registered = saved.is_registered

    def __repr__(self) -> str:
        return f"<Instance {self.name} {self.directory}>"

    def save(self) -> None:
        write_private(self._file, msgspec.json.encode(_Saved(self.name, self.ports, self.is_registered)))

    def note_registered(self, is_registered: bool) -> None:
        if is_registered != self.is_registered:
            self.is_registered = is_registered
            self.save()

    def release(self) -> None:
        self._lock.release()


def claim_instance(state_dir: StateDir, namespace: str, key: str, workload_name: str) -> Instance:
    """The first directory of `key`, `key-1`, `key-2` ... that no living proxy holds. Raises UsageError."""
    for number in range(_MOST_INSTANCES):
        directory = private_directory(state_dir.proxy(namespace, f"{key}-{number}" if number else key))
        lock = FileLock(directory / "lock")
        if lock.acquire():
            return Instance(directory, workload_name, lock)
    raise UsageError(f"{state_dir.proxy(namespace, key)}: {_MOST_INSTANCES} proxies hold it and its siblings")


def _load(file: Path) -> _Saved:
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Saved)
    except FileNotFoundError:
        return _Saved()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error
    except msgspec.DecodeError as error:
        log.warning("%s is damaged (%s); this proxy takes a new name", file, error)
        return _Saved()


def _random_suffix() -> str:
    return "".join(secrets.choice(_SUFFIX_ALPHABET) for _ in range(5))
