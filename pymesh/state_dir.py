"""Where a mesh keeps its files on this machine, and how commands and proxies find its control plane there.

    <state dir>/control/          state.db, ca/, join-token, addresses.json, lock
    <state dir>/proxy/<ns>/<key>/ what one proxy keeps over its restarts

Directories are 0700 and secret files 0600: whoever can read them can act as the mesh.
"""

import fcntl
import os
import tempfile
from pathlib import Path

import msgspec

from pymesh.errors import UsageError

STATE_DIR_VARIABLE = "PYMESH_STATE_DIR"
CONTROL_VARIABLE = "PYMESH_CONTROL"


class ControlAddresses(msgspec.Struct, frozen=True):
    """The URLs of a control plane; the defaults are those of a control plane started without flags."""

    listen: str = "http://127.0.0.1:15010"
    tls: str = "https://127.0.0.1:15012"
    monitoring: str = "http://127.0.0.1:15014"


class StateDir:
    """The paths below one state directory. Nothing is created before it is written."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser().absolute()
        self.control = self.path / "control"
        self.ca = self.control / "ca"
        self.database = self.control / "state.db"
        self.join_token = self.control / "join-token"
        self.addresses = self.control / "addresses.json"
        self.control_lock = self.control / "lock"

    def __repr__(self) -> str:
        return f"<StateDir {self.path}>"

    def proxy(self, namespace: str, key: str) -> Path:
        return self.path / "proxy" / namespace / key

    def read_join_token(self) -> str | None:
        """The token with which a proxy on this machine proves any identity; None where no control plane runs here."""
        text = _read_text(self.join_token)
        return None if text is None else text.strip()

    def read_addresses(self) -> ControlAddresses | None:
        """Where the control plane of this state dir listens, or listened last; None if it never ran."""
        text = _read_text(self.addresses)
        if text is None:
            return None
        try:
            return msgspec.json.decode(text, type=ControlAddresses)
        except msgspec.DecodeError as error:
            raise UsageError(f"{self.addresses}: {error}") from error


def open_state_dir(flag: str | Path | None = None) -> StateDir:
    """The directory of `--state-dir`, else of PYMESH_STATE_DIR, else ~/.pymesh."""
    return StateDir(flag or os.environ.get(STATE_DIR_VARIABLE) or "~/.pymesh")


def find_control_api(flag: str | None, state_dir: StateDir) -> str:
    """The plaintext URL that commands talk to: `--control`, PYMESH_CONTROL, addresses.json, the default port."""
    return _find(flag, "http://", (state_dir.read_addresses() or ControlAddresses()).listen)


def find_control_tls(flag: str | None, state_dir: StateDir) -> str:
    """The TLS URL that proxies talk to, found as `find_control_api` finds the plaintext one."""
    return _find(flag, "https://", (state_dir.read_addresses() or ControlAddresses()).tls)


def private_directory(path: Path) -> Path:
    """Make the directory and what is missing above it, for nobody else. Raises UsageError."""
    try:
        # mkdir's own parents=True would give those above the mode of the umask.
        for missing in reversed([directory for directory in path.parents if not directory.exists()]):
            missing.mkdir(mode=0o700, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        path.chmod(0o700)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    return path


def write_private(path: Path, data: bytes | str) -> None:
    """Replace the file in one step, mode 0600; a reader sees the old content or the new. Raises UsageError."""
    content = data.encode() if isinstance(data, str) else data
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp makes it 0600
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error


class FileLock:
    """An exclusive lock that ends with its process, so that nothing has to be cleaned up after a crash."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """False if another process (or another FileLock) holds it. Raises UsageError if the file cannot be opened."""
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UsageError(f"{self.path}: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _find(flag: str | None, scheme: str, default: str) -> str:
    if flag:
        if not flag.startswith(scheme):
            raise UsageError(f"--control {flag}: must begin with {scheme}")
        return flag.rstrip("/")
    # The variable serves both kinds of client; each takes it when it names its own scheme.
    variable = os.environ.get(CONTROL_VARIABLE, "")
    return variable.rstrip("/") if variable.startswith(scheme) else default


def _read_text(path: Path) -> str | None:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
