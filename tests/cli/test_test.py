"""`pymesh test`: cases, configuration, results and exit codes."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from pymesh.cli import main

EXAMPLE = Path(__file__).parents[2] / "examples" / "offline"
MESH = """
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec: {ports: [{name: http, port: 9080}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - {name: one, match: [{uri: {prefix: /one}}], timeout: 1500ms, route: [{destination: {host: reviews}}]}
  - {name: two, route: [{destination: {host: reviews}}]}
"""
ONE = """
- name: one
  request: GET http://reviews:9080/one
  expect: {route: one, timeout: 1.5s, destination: {host: reviews, port: 9080}}
"""
TWO = "- {request: 'GET http://reviews:9080/', expect: {route: two, timeout: none}}\n"
WRONG = "- {name: wrong, request: 'GET http://reviews:9080/one', expect: {route: two, timeout: 2s}}\n"


@pytest.fixture
def files(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "mesh.yaml").write_text(MESH)
    return tmp_path


@pytest.fixture
def run(files, capsys):
    def run(cases, *arguments):
        (files / "cases.yaml").write_text(cases)
        code = main(["test", str(files / "cases.yaml"), "-f", str(files / "config"), *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_cases_that_are_as_expected_pass(run):
    code, out, _ = run(ONE + TWO)
    assert code == 0
    assert "  ok    one\n  ok    case 2\n\n2 passed, 0 failed\ncoverage 100 %: 2 of 2" in out


def test_differences_are_told_field_by_field_with_the_place_of_the_case(run, files):
    code, out, _ = run(ONE + WRONG)
    assert code == 1
    assert f"  FAIL  wrong ({files}/cases.yaml:5)" in out
    assert "route: expected two, got one" in out
    assert "timeout: expected 2s, got 1.5s" in out
    assert "1 passed, 1 failed" in out


def test_reasons_are_printed_on_demand(run):
    _, out, _ = run(WRONG, "--explain")
    assert "| " in out
    assert "-> route one of VirtualService default/reviews http[0].match[0]" in out


def test_error_that_nobody_expects_fails_the_case(run):
    code, out, _ = run("- {request: 'GET http://x:9080/', gateway: a/b, expect: {listener: null}}\n")
    assert code == 1
    assert "error: expected none, got no_listener" in out
    assert run("- {request: 'GET http://x:9080/', gateway: a/b, expect: {error: no_listener}}\n")[0] == 0


def test_routes_that_no_case_reaches_are_listed_with_their_place(run, files):
    code, out, err = run(ONE, "--fail-under", 60)
    assert code == 1
    assert "coverage 50 %: 1 of 2 routes and policies" in out
    assert f"never reached: VirtualService default/reviews http[1] ({files}/config/mesh.yaml:14)" in out
    assert "under 60 %" in err
    assert run(ONE, "--fail-under", 50)[0] == 0


def test_junit_has_a_case_for_each_case_and_the_differences_of_those_that_failed(run, files):
    run(ONE + WRONG, "--junit-xml", files / "junit.xml")
    (suite,) = ElementTree.parse(files / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    passed, failed = suite
    assert (passed.get("name"), len(passed)) == ("one", 0)
    assert "route: expected two, got one" in failed[0].text


def test_directory_is_searched_for_files_with_cases_and_they_may_name_their_configuration(files, capsys):
    cases = f"config: [config/mesh.yaml]\ncases:{ONE}"
    (files / "some.yaml").write_text(cases)
    assert main(["test", str(files)]) == 0
    assert "1 passed, 0 failed" in capsys.readouterr().out


def test_example_passes_and_reaches_everything(capsys):
    assert main(["test", str(EXAMPLE), "--fail-under", "100"]) == 0
    assert "7 passed, 0 failed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("cases", "message"),
    [
        ("[]", "has no cases"),
        ("- {request: GET}", "cases.yaml:1: 'GET' is not a request such as"),
        ("- {request: 'GET http://a/'}", "cases.yaml:1: expect is required"),
        ("- {request: 'GET http://a/', expect: {rout: x}}", "unknown expectation 'rout'"),
        ("- {reqest: 'GET http://a/', expect: {route: x}}", "unknown field 'reqest'"),
        ("- 1", "a case must be a map"),
        ("{cases: [], conf: x}", "unknown field 'conf'"),
        ("- {", "cases.yaml: line"),
    ],
)
def test_wrong_cases_are_one_line_and_exit_code_2(run, cases, message):
    code, _, err = run(cases)
    assert code == 2
    assert message in err
    assert len(err.splitlines()) == 1


def test_cases_without_a_configuration_are_a_wrong_usage(files, capsys):
    (files / "cases.yaml").write_text(ONE)
    assert main(["test", str(files / "cases.yaml")]) == 2
    assert "which configuration?" in capsys.readouterr().err


def test_tcp_routes_count_and_a_route_that_delegates_does_not(tmp_path, capsys):
    (tmp_path / "mesh.yaml").write_text("""
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: 10.96.0.9, ports: [{name: tcp, port: 3306}, {name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: db}
spec:
  hosts: [db]
  tcp: [{match: [{port: 3306}], route: [{destination: {host: db, port: {number: 3306}}}]}]
  http: [{delegate: {name: web}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec: {http: [{route: [{destination: {host: db, port: {number: 80}}}]}]}
""")
    (tmp_path / "cases.yaml").write_text("- {request: 'TCP tcp://10.96.0.9:3306', expect: {destination: db}}\n")
    assert main(["test", str(tmp_path / "cases.yaml"), "-f", str(tmp_path / "mesh.yaml")]) == 0
    out = capsys.readouterr().out
    assert "coverage 50 %: 1 of 2" in out
    assert "never reached: VirtualService default/web http[0]" in out
