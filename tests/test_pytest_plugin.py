"""The plugin in a pytest of its own."""

import pytest

pytest_plugins = ["pytester"]

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: reviews}\nspec: {ports: [{name: http, port: 9080}]}\n"
TEST = """
def test_route(mesh):
    answer = mesh.simulate("GET http://reviews:9080/", from_="default/web", header={"a": "b"})
    assert answer.cluster == "outbound|9080||reviews.default.svc.cluster.local"
    assert answer.error is None
    assert answer.rewritten.path == "/"
"""


@pytest.fixture
def tests(pytester: pytest.Pytester) -> pytest.Pytester:
    (pytester.path / "config").mkdir()
    (pytester.path / "config" / "mesh.yaml").write_text(SERVICE)
    pytester.makepyfile(TEST)
    return pytester


def run(tests: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return tests.runpytest_subprocess("-p", "pymesh.pytest_plugin", "-p", "no:cacheprovider", *arguments, timeout=50)


def test_fixture_decides_by_the_files_of_the_option(tests: pytest.Pytester) -> None:
    run(tests, "--pymesh-config", "config").assert_outcomes(passed=1)


def test_without_the_option_the_fixture_says_what_is_missing(tests: pytest.Pytester) -> None:
    result = run(tests)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*needs --pymesh-config DIR*"])


def test_invalid_files_are_told_without_a_traceback(tests: pytest.Pytester) -> None:
    (tests.path / "config" / "bad.yaml").write_text(SERVICE.replace("ports", "prots"))
    result = run(tests, "--pymesh-config", "config")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*bad.yaml: document 1 (line 4)*spec.prots*"])
    assert "Traceback" not in result.stdout.str()
