"""pymesh does what Envoy does; where it does not, that is written down, with the reason."""

import asyncio
from pathlib import Path

import pytest
import yaml

from oracle.cases import CASES
from oracle.run import Results, Run
from oracle.script import Case

pytestmark = pytest.mark.timeout(300)

_REPLAYS = 13  # one in a hundred: a loaded machine makes short timeouts long
_FILE = Path(__file__).with_name("differences.yaml")
DIFFERENCES: list[dict[str, object]] = yaml.safe_load(_FILE.read_text())
EXPECTED: dict[str, list[str]] = {name: lines for entry in DIFFERENCES for name, lines in entry["cases"].items()}


@pytest.fixture(scope="session")
def results(request, envoy, tmp_path_factory) -> Results:
    """Of the cases that are asked for: all are played at once."""
    ours = [item for item in request.session.items if item.path == Path(__file__) and "case" in item.fixturenames]
    chosen = [item.callspec.params["case"] for item in ours]
    run = Run(chosen, tmp_path_factory.mktemp("oracle"), envoy)
    try:
        return asyncio.run(run.play_all(chosen, EXPECTED))
    finally:
        run.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_pymesh_does_as_envoy(case: Case, results: Results, request) -> None:
    envoy, pymesh = results.by_case[case.name]
    if request.config.getoption("--show-oracle", default=False):
        print(f"\n{case.name}\n{envoy}")
    in_vain = [line for line in envoy.lines if line in pymesh.lines and line.startswith("waited in vain")]
    assert not in_vain, "the script waits for what neither proxy does"
    found = envoy.differences(pymesh)
    if case.name in EXPECTED:
        assert found == EXPECTED[case.name], "not as differences.yaml says:\n" + "\n".join(found)
    else:
        assert not found, f"- Envoy, + pymesh:\n{chr(10).join(found)}\n\nEnvoy:\n{envoy}"


def test_hardly_a_case_has_to_be_played_twice(results: Results) -> None:
    """What only comes out at the second time may be a busy machine, or a fault that is rare."""
    print(f"{len(results.replayed)} of {len(results.by_case)} came out at the second time: {results.replayed}")
    assert len(results.replayed) <= _REPLAYS, results.replayed


def test_names_of_cases_are_unique() -> None:
    names = [case.name for case in CASES]
    assert sorted(set(names)) == sorted(names)


def test_every_difference_has_a_reason_and_is_of_a_case() -> None:
    assert all(entry["reason"] and entry["cases"] for entry in DIFFERENCES)
    assert set(EXPECTED) <= {case.name for case in CASES}


def test_the_readme_gives_every_reason_and_the_right_numbers() -> None:
    readme = " ".join((Path(__file__).parents[2] / "README.md").read_text().split())
    assert [entry["reason"] for entry in DIFFERENCES if " ".join(str(entry["reason"]).split()) not in readme] == []
    assert f"plays {len(CASES)} scripted exchanges" in readme
    assert f"{len(EXPECTED)} of them differ" in readme
