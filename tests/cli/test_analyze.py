import json
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
import yaml

_SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec: {ports: [{name: http, port: 9080}]}
---
"""
_LOST = """apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - route:
    - destination: {host: nowhere}
"""
_UNUSED = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - route: [{destination: {host: reviews}}]
  - route: [{destination: {host: reviews}}]
"""


@pytest.fixture
def lost(tmp_path: Path) -> str:
    file = tmp_path / "lost.yaml"
    file.write_text(_LOST)
    return str(file)


@pytest.fixture
def unused(tmp_path: Path) -> str:
    file = tmp_path / "unused.yaml"
    file.write_text(_SERVICE + _UNUSED)
    return str(file)


def test_a_message_has_level_code_object_file_and_line(pymesh, lost: str) -> None:  # type: ignore[no-untyped-def]
    told = f'Error [IST0101] (VirtualService default/reviews {lost}:8) Referenced host not found: "nowhere"\n'
    assert pymesh("analyze", lost) == (79, told, "")
    assert pymesh("analyze", "-f", lost) == (79, told, "")


def test_json_has_the_fields_of_istioctl(pymesh, lost: str) -> None:  # type: ignore[no-untyped-def]
    result = pymesh("analyze", lost, "-o", "json")
    assert result.code == 79
    assert json.loads(result.out) == [
        {
            "code": "IST0101",
            "documentationUrl": "https://istio.io/latest/docs/reference/config/analysis/ist0101/",
            "level": "Error",
            "message": 'Referenced host not found: "nowhere"',
            "origin": "VirtualService default/reviews",
            "path": "spec.http[0].route[0].destination.host",
            "reference": f"{lost}:8",
        }
    ]


def test_yaml_has_the_fields_of_json(pymesh, lost: str) -> None:  # type: ignore[no-untyped-def]
    told = yaml.safe_load(pymesh("analyze", lost, "-o", "yaml").out)
    assert told == json.loads(pymesh("analyze", lost, "-o", "json").out)


def test_the_exit_code_depends_on_the_level_that_fails(pymesh, unused: str) -> None:  # type: ignore[no-untyped-def]
    assert "Warning [IST0130]" in pymesh("analyze", unused).out
    assert pymesh("analyze", unused).code == 0
    assert pymesh("analyze", unused, "--fail-on", "warning").code == 79
    assert pymesh("analyze", unused, "--failure-threshold", "Info").code == 79
    assert pymesh("analyze", unused, "--fail-on", "nothing").code == 2


def test_a_lower_level_need_not_be_shown(pymesh, unused: str) -> None:  # type: ignore[no-untyped-def]
    assert pymesh("analyze", unused, "--output-threshold", "error", "--fail-on", "warning").out == ""


def test_a_configuration_without_issues_says_so(pymesh, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "service.yaml").write_text(_SERVICE)
    assert pymesh("analyze", str(tmp_path)) == (0, "", "No validation issues found.\n")
    assert pymesh("analyze", str(tmp_path), "-o", "json") == (0, "[]\n", "")


def test_a_directory_is_one_configuration(pymesh, lost: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "service.yaml").write_text(_SERVICE.replace("reviews", "nowhere"))
    assert pymesh("analyze", str(tmp_path)).code == 0
    (tmp_path / "below").mkdir()
    (tmp_path / "service.yaml").rename(tmp_path / "below" / "service.yaml")
    assert pymesh("analyze", str(tmp_path)).code == 79
    assert pymesh("analyze", "-R", str(tmp_path)).code == 0


def test_standard_input_is_a_file(pymesh, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(_LOST.encode())))
    assert "(VirtualService default/reviews -:8)" in pymesh("analyze", "-").out


def test_without_files_the_running_mesh_is_looked_at(pymesh, lost: str) -> None:  # type: ignore[no-untyped-def]
    assert pymesh("apply", "-f", lost).code == 0
    told = 'Error [IST0101] (VirtualService default/reviews) Referenced host not found: "nowhere"\n'
    assert pymesh("analyze") == (79, told, "")
    (fields,) = json.loads(pymesh("analyze", "-o", "json").out)
    assert (fields["path"], fields.get("reference")) == ("spec.http[0].route[0].destination.host", None)


def test_two_fields_of_a_running_object_with_the_same_problem_are_one_line(pymesh, lost: str) -> None:  # type: ignore[no-untyped-def]
    Path(lost).write_text(
        _LOST
        + "    mirror: {host: shadow}\n"
        + _LOST.partition("http:\n")[2].replace("- route", "- match: [{uri: {prefix: /b}}]\n    route")
    )
    assert pymesh("apply", "-f", lost).code == 0
    assert pymesh("analyze").out.count('"nowhere"') == 1
    assert len(json.loads(pymesh("analyze", "-o", "json").out)) > 2


def test_files_can_be_looked_at_as_if_they_had_been_applied(pymesh, lost: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    service = tmp_path / "service.yaml"
    service.write_text(_SERVICE.replace("reviews", "nowhere"))
    assert pymesh("apply", "-f", str(service)).code == 0
    assert pymesh("analyze", lost).code == 79
    assert pymesh("analyze", lost, "--with-mesh").code == 0
    Path(lost).write_text(_LOST.replace("nowhere", "reviewz"))
    assert f"(VirtualService default/reviews {lost}:8)" in pymesh("analyze", lost, "--with-mesh").out


def test_only_the_messages_of_a_namespace(pymesh, lost: str) -> None:  # type: ignore[no-untyped-def]
    named = Path(lost).with_name("named.yaml")
    named.write_text(_LOST.replace("name: reviews", "name: reviews, namespace: shop"))
    assert pymesh("analyze", str(named), "-n", "other").code == 0
    assert "VirtualService shop/reviews" in pymesh("analyze", str(named), "-n", "shop").out
    assert "VirtualService other/reviews" in pymesh("analyze", lost, "-n", "other").out


@pytest.mark.parametrize("resource", ["VirtualService reviews.default", "VirtualService *.default", "*"])
def test_a_message_can_be_suppressed(pymesh, lost: str, resource: str) -> None:  # type: ignore[no-untyped-def]
    assert pymesh("analyze", lost, "--suppress", f"IST0101={resource}").code == 0


def test_what_is_suppressed_is_one_code_of_one_object(pymesh, lost: str) -> None:  # type: ignore[no-untyped-def]
    assert pymesh("analyze", lost, "-S", "IST0101=VirtualService reviews.shop").code == 79
    assert pymesh("analyze", lost, "-S", "IST0102=VirtualService reviews.default").code == 79
    assert "IST9999 is the code of no message" in pymesh("analyze", lost, "-S", "IST9999=Pod a.b").err
    assert pymesh("analyze", lost, "-S", "IST0101").code == 2


def test_an_object_can_suppress_messages_by_annotation(pymesh, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    note = "name: reviews, annotations: {galley.istio.io/analyze-suppress: CODES}"
    file = tmp_path / "lost.yaml"
    for codes, code in (('"IST0112,IST0101"', 0), ('"*"', 0), ("IST0112", 79)):
        file.write_text(_LOST.replace("name: reviews", note.replace("CODES", codes)))
        assert pymesh("analyze", str(file)).code == code


def test_a_file_that_is_no_yaml_does_not_hide_the_others(pymesh, lost: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "broken.yaml").write_text("a: [")
    result = pymesh("analyze", str(tmp_path))
    assert (result.code, result.out.count("IST0101")) == (79, 1)
    assert "broken.yaml: line 2" in result.err
    assert pymesh("analyze", str(tmp_path / "broken.yaml")).code == 65
    assert pymesh("analyze", str(tmp_path / "missing.yaml")).code == 2


def test_the_mesh_config_decides_what_is_exported(pymesh, lost: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    service = _SERVICE.replace("name: reviews", "name: ratings, namespace: shop")
    (tmp_path / "service.yaml").write_text(service)
    Path(lost).write_text(_LOST.replace("nowhere", "ratings.shop.svc.cluster.local"))
    config = tmp_path / "mesh.config"
    config.write_text('defaultServiceExportTo: ["."]\n')
    assert pymesh("analyze", str(tmp_path)).code == 0
    assert pymesh("analyze", str(tmp_path), "--mesh-config", str(config)).code == 79
    config.write_text("a: [")
    assert pymesh("analyze", str(tmp_path), "--mesh-config", str(config)).code == 2


def test_the_analyzers_are_listed(pymesh) -> None:  # type: ignore[no-untyped-def]
    assert "* virtualservice.DestinationHostAnalyzer:\n" in pymesh("analyze", "--list-analyzers").out
