"""The two proxies: started with the same resources, each a process; where their listeners are and what they log."""

import copy
import json
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pymesh import xds

START_SECONDS = 60.0

# The port tells the case.
LOG_FORMAT = (
    "%DOWNSTREAM_LOCAL_ADDRESS% %REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL% %RESPONSE_CODE% "
    "flags=%RESPONSE_FLAGS% details=%RESPONSE_CODE_DETAILS% route=%ROUTE_NAME% cluster=%UPSTREAM_CLUSTER_RAW%"
)
_FILE_LOG = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog"


class AccessLogFile:
    """Lines by listener port; each is read once."""

    def __init__(self, path: Path) -> None:
        path.touch()
        self._file = path.open(encoding="utf-8", errors="surrogateescape")
        self._lines: dict[int, list[str]] = defaultdict(list)
        self._partial = ""

    def take(self, port: int) -> list[str]:
        for line in self._new_lines():
            address, _, rest = line.partition(" ")
            self._lines[int(address.rpartition(":")[2])].append(rest)
        return self._lines.pop(port, [])

    def close(self) -> None:
        self._file.close()

    def _new_lines(self) -> list[str]:
        *lines, self._partial = (self._partial + self._file.read()).split("\n")
        return lines


class Proxy:
    """`ports` are those of its listeners, by name."""

    name = ""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.access_log = directory / "access.log"
        self.ports: dict[str, int] = {}
        self.log = AccessLogFile(self.access_log)
        self._process: subprocess.Popen[str] | None = None

    def close(self) -> None:
        self.log.close()
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._end(self._process)
            self._process.wait(15)

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _start(self, *command: str, **options: Any) -> subprocess.Popen[str]:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, **options)
        return self._process

    def _end(self, process: subprocess.Popen[str]) -> None:
        """Its standard input is closed already."""


class Pymesh(Proxy):
    name = "pymesh"

    def start(self, resources: list[xds.Resource]) -> None:
        file = self.directory / "resources.json"
        file.write_text(json.dumps(resources))
        script = str(Path(__file__).with_name("pymesh_process.py"))
        with (self.directory / "stderr").open("w") as stderr:
            process = self._start(
                sys.executable,
                script,
                str(file),
                str(self.access_log),
                LOG_FORMAT,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (self.directory / "stderr").read_text()
        self.ports = json.loads(line)

    def close(self) -> None:
        super().close()
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()


class Envoy(Proxy):
    name = "envoy"

    def start(self, binary: str, resources: list[xds.Resource]) -> None:
        bootstrap, admin = self.directory / "bootstrap.json", self.directory / "admin"
        bootstrap.write_text(json.dumps(build_bootstrap(resources, self.access_log)))
        arguments = ["--config-path", str(bootstrap), "--admin-address-path", str(admin), "--concurrency", "1"]
        arguments += ["--file-flush-interval-msec", "20", "--disable-hot-restart", "--log-level", "error"]
        with (self.directory / "stderr").open("w") as stderr:
            self._start(binary, *arguments, stdout=subprocess.DEVNULL, stderr=stderr)
        self.ports = self._wait_ports(admin)

    def _end(self, process: subprocess.Popen[str]) -> None:
        process.terminate()

    def _wait_ports(self, admin: Path) -> dict[str, int]:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.is_running, (self.directory / "stderr").read_text()
            if (
                admin.exists()
                and (address := admin.read_text())
                and _read(f"http://{address}/ready").startswith("LIVE")
            ):
                found = json.loads(_read(f"http://{address}/listeners?format=json"))["listener_statuses"]
                return {item["name"]: item["local_address"]["socket_address"]["port_value"] for item in found}
            time.sleep(0.05)
        raise TimeoutError("Envoy was not ready")


def build_bootstrap(resources: list[xds.Resource], access_log: Path) -> dict[str, Any]:
    static: dict[str, list[xds.Resource]] = {"listeners": [], "clusters": []}
    for resource in copy.deepcopy(resources):
        kind = "listeners" if xds.type_url_of(resource) == xds.LISTENER else "clusters"
        del resource["@type"]
        static[kind].append(resource)
    config = {"@type": _FILE_LOG, "path": str(access_log)}
    config["log_format"] = {"text_format_source": {"inline_string": LOG_FORMAT + "\n"}}
    for hcm in _connection_managers(static["listeners"]):
        hcm["access_log"] = [{"name": "envoy.access_loggers.file", "typed_config": config}]
    admin = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}}
    return {"node": {"id": "oracle", "cluster": "oracle"}, "admin": admin, "static_resources": static}


def _connection_managers(value: Any) -> Iterator[dict[str, Any]]:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in children:
        yield from _connection_managers(item)
    if isinstance(value, dict) and value.get("@type", "").endswith(".HttpConnectionManager"):
        yield value


def _read(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:  # not there yet, or 503
        return ""
