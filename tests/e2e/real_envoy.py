"""A real Envoy as a process, which a control plane's plaintext port configures over REST."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Envoy:
    def __init__(
        self, binary: str, directory: Path, node: dict[str, Any], control_port: int, http_get: Callable[..., Any]
    ) -> None:
        self._http_get = http_get
        self._admin_file = directory / "envoy-admin"
        self.log_file = directory / "envoy.log"
        config = json.dumps(bootstrap(node, control_port))
        arguments = [binary, "--config-yaml", config, "--admin-address-path", str(self._admin_file)]
        arguments += ["--log-path", str(self.log_file), "--concurrency", "1", "--disable-hot-restart"]
        self._process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL)

    def listeners(self) -> dict[str, int]:
        """Their ports, by name; none before it has started."""
        if not self._admin_file.exists() or not (admin := self._admin_file.read_text()):
            return {}
        statuses = self._http_get(f"http://{admin}/listeners?format=json").json.get("listener_statuses", [])
        return {item["name"]: item["local_address"]["socket_address"]["port_value"] for item in statuses}

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(15)


def bootstrap(node: dict[str, Any], control_port: int) -> dict[str, Any]:
    rest = {
        "api_type": "REST",
        "transport_api_version": "V3",
        "cluster_names": ["pymesh-control"],
        "refresh_delay": "0.1s",
        "request_timeout": "60s",
    }
    source = {"resource_api_version": "V3", "api_config_source": rest}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": control_port}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    control = {
        "name": "pymesh-control",
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": "pymesh-control", "endpoints": endpoints},
    }
    return {
        "node": node,
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
        "dynamic_resources": {"lds_config": source, "cds_config": source},
        "static_resources": {"clusters": [control]},
    }
