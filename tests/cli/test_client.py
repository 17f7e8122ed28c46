"""The commands' HTTP client."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from pymesh.cli.client import ApiError, ControlClient, add_client_arguments, open_client
from pymesh.errors import ControlUnreachableError, UsageError

SERVICES = "/api/v1/namespaces/default/services"
SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}}


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_client_arguments(parser)
    return parser.parse_args(arguments)


def test_one_connection_serves_many_requests(control_url: str) -> None:
    with ControlClient(control_url) as client:
        assert client.request("POST", SERVICES, body=SERVICE)["metadata"]["resourceVersion"] == "1"
        assert client.get(SERVICES, {"labelSelector": "a=b"})["items"] == []
        assert len(client.get(SERVICES)["items"]) == 1


def test_a_refusal_carries_its_causes(control_url: str) -> None:
    with ControlClient(control_url) as client, pytest.raises(ApiError) as caught:
        client.request("POST", SERVICES, body={**SERVICE, "spec": {"ports": [{"port": 0}]}})
    assert caught.value.code == 422
    assert caught.value.causes == [("spec.ports[0].port", "must be a port, 1..65535, not 0")]


def test_an_error_without_a_status_is_its_text(control_url: str) -> None:
    with ControlClient(control_url) as client, pytest.raises(ApiError, match="404: Not Found"):
        client.get("/nowhere")


def test_no_answer_is_said_in_the_systems_words() -> None:
    with ControlClient("http://127.0.0.1:1") as client, pytest.raises(ControlUnreachableError, match="refused"):
        client.get("/")


@pytest.mark.parametrize("url", ["http://", "http://a:b", "http://a:99999"])
def test_a_url_that_is_none_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError, match="--control"):
        ControlClient(url)


def test_the_state_dir_says_where_control_is(control_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYMESH_CONTROL", raising=False)
    (tmp_path / "control").mkdir()
    (tmp_path / "control" / "addresses.json").write_text(json.dumps({"listen": control_url}))
    with open_client(parse("--state-dir", str(tmp_path))) as client:
        assert client.url == control_url


@pytest.mark.parametrize("module", ["apply", "get", "describe", "delete", "kubeconfig"])
def test_commands_start_without_what_is_slow_to_import(module: str) -> None:
    slow = ("aiohttp", "cryptography", "re2", "asyncio")
    code = f"import sys, pymesh.cli.{module}; print([name for name in {slow} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("module", ["trace", "proxy_status"])
def test_commands_that_show_tables_do_not_load_the_control_plane(module: str) -> None:
    code = (
        f"import sys, pymesh.cli.{module}; print([name for name in sys.modules if name.startswith('pymesh.control')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
