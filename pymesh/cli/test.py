"""`pymesh test`: cases in YAML against configuration files, offline.

Exit codes: 0 all passed; 1 a case failed, the coverage is too low, or the configuration is invalid; 2 a wrong flag or
a wrong case.
"""

import argparse
import sys

from pymesh.errors import UsageError
from pymesh.simulation.case_run import CaseRun
from pymesh.simulation.cases import Outcome, case_files, read_cases
from pymesh.simulation.coverage import Coverage
from pymesh.simulation.explanation import explain, place_of
from pymesh.simulation.junit import junit_xml
from pymesh.simulation.mesh import SimulatedMesh


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cases", nargs="+", metavar="FILE_OR_DIR", help="YAML with cases, or a directory of such files")
    parser.add_argument(
        "-f",
        "--config",
        action="append",
        default=[],
        metavar="FILE",
        help="the configuration: YAML or JSON, a directory, or -; beside what the files with cases name themselves",
    )
    parser.add_argument("--junit-xml", metavar="FILE", help="write the results in JUnit's form")
    parser.add_argument("--fail-under", type=float, metavar="N", help="fail if less than N %% of routes and policies")
    parser.add_argument("--explain", action="store_true", help="print the reasons for what failed")


def run(args: argparse.Namespace) -> int:
    files = [read_cases(path) for given in args.cases for path in case_files(given)]
    tested = CaseRun(tuple(args.config))
    for file in files:
        print(file.path)
        for outcome in tested.run(file):
            _print_outcome(outcome, tested.mesh_of(file) if args.explain else None)
    _print_summary(tested.outcomes, tested.coverages)
    if args.junit_xml:
        _write_junit(args.junit_xml, tested)
    is_covered = args.fail_under is None or tested.percent >= args.fail_under
    if not is_covered:
        print(f"the coverage is under {args.fail_under:g} %", file=sys.stderr)
    return 0 if is_covered and not any(outcome.differences for outcome in tested.outcomes) else 1


def _print_outcome(outcome: Outcome, mesh: SimulatedMesh | None) -> None:
    case = outcome.case
    if not outcome.differences:
        print(f"  ok    {case.name}")
        return
    print(f"  FAIL  {case.name} ({case.place})")
    for difference in outcome.differences:
        print(f"          {difference}")
    if mesh is not None:
        for line in explain(mesh.trace(case.call), mesh.configuration):
            print(f"          | {line}")


def _print_summary(outcomes: list[Outcome], coverages: list[Coverage]) -> None:
    failed = sum(bool(outcome.differences) for outcome in outcomes)
    print(f"\n{len(outcomes) - failed} passed, {failed} failed")
    for coverage in coverages:
        total, missed = len(coverage.rules), coverage.missed
        print(f"coverage {coverage.percent:.0f} %: {total - len(missed)} of {total} routes and policies")
        for rule in missed:
            print(f"  never reached: {place_of(rule, coverage.configuration)}")


def _write_junit(path: str, tested: CaseRun) -> None:
    try:
        with open(path, "wb") as file:
            file.write(junit_xml(tested.results))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
