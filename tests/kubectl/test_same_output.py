"""pymesh's own commands print what kubectl prints."""

import pytest

from kubectl.client import Kubectl
from kubectl.objects import NAME, SAMPLE
from pymesh.cli import main


def pymesh(capsys: pytest.CaptureFixture[str], kubectl: Kubectl, command: str, *arguments: str) -> str:
    capsys.readouterr()
    assert main([command, *arguments, "--namespace", kubectl.namespace, "--control", kubectl.server]) == 0
    return capsys.readouterr().out


def cells(table: str) -> list[list[str]]:
    """Without the ages, which grow between two calls, and how wide columns are."""
    lines = [line.split() for line in table.splitlines()]
    return [[cell for cell in line if not cell.endswith("s") or not cell[:-1].isdigit()] for line in lines]


@pytest.mark.parametrize(
    "arguments",
    [
        ("vs",),
        ("svc", "-o", "wide"),
        ("vs,svc",),
        ("vs", "-o", "name"),
        ("vs/reviews", "svc/reviews", "-o", "name"),
        ("svc", "--show-labels"),
        ("vs", "-l", "app=reviews"),
        ("istio-io",),
    ],
)
def test_get_prints_the_tables_of_kubectl(
    kubectl: Kubectl, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    kubectl("apply", "-f", "-", input=SAMPLE)
    assert cells(pymesh(capsys, kubectl, "get", *arguments)) == cells(kubectl("get", *arguments).out)


def test_describe_prints_what_kubectl_prints(kubectl: Kubectl, capsys: pytest.CaptureFixture[str]) -> None:
    kubectl("apply", "-f", "-", input=SAMPLE)
    kubectl("annotate", NAME, "note=two words")
    described = kubectl("describe", NAME).out
    own = pymesh(capsys, kubectl, "describe", "vs", "reviews")
    assert own.splitlines() == described.split("Events:")[0].splitlines()


def test_delete_and_apply_name_objects_as_kubectl_does(
    kubectl: Kubectl, capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("files") / "sample.yaml"
    file.write_text(SAMPLE)
    applied = pymesh(capsys, kubectl, "apply", "-f", str(file))
    again = kubectl("apply", "-f", str(file)).out.splitlines()
    named = [line.split()[0] for line in again if not line.startswith("deployment")]
    assert [line.split()[0] for line in applied.splitlines()] == named
    deleted = pymesh(capsys, kubectl, "delete", "-f", str(file))
    kubectl("apply", "-f", str(file))
    of_kubectl = [line for line in kubectl("delete", "-f", str(file)).out.splitlines() if "deployment" not in line]
    assert [line.split(" deleted")[0] for line in deleted.splitlines()] == [
        line.split(" deleted")[0] for line in of_kubectl
    ]
