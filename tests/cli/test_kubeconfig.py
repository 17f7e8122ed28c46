import stat
from pathlib import Path

import yaml

from pymesh.cli.kubeconfig import build_kubeconfig


def test_a_kubeconfig_names_server_and_namespace() -> None:
    config = yaml.safe_load(build_kubeconfig("http://127.0.0.1:15010", "shop"))
    (context,) = config["contexts"]
    assert config["current-context"] == context["name"]
    assert context["context"] == {"cluster": "pymesh", "user": "pymesh", "namespace": "shop"}
    assert config["clusters"] == [{"name": "pymesh", "cluster": {"server": "http://127.0.0.1:15010"}}]


def test_it_is_written_to_a_file_of_the_users_own(pymesh, control_url: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "kubeconfig"
    assert pymesh("kubeconfig", "-o", str(path)) == (0, "", "")
    assert yaml.safe_load(path.read_text())["clusters"][0]["cluster"]["server"] == control_url
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert pymesh("kubeconfig", "--server", "http://127.0.0.1:1").out.count("http://127.0.0.1:1\n") == 1
    assert pymesh("kubeconfig", "--server", "127.0.0.1").code == 2
