"""pymesh against Envoy and others: CPU a request, throughput, latency and memory, in one run on one machine.

Each proxy is pinned to one core; the load, the backend and the control plane have the other. Rounds alternate between
the contestants, and the ratio to Envoy is the median of the ratios of each round. Envoy and pymesh run the same xDS
resources, with outlier detection, circuit breakers, retries and timeouts on, and trace 1 % of the requests; pymesh
counts Istio's metrics besides, Envoy its own. Prints Markdown tables: all figures, then those that have a target.

    python benchmarks/compare.py [--peers] [--work plain,mtls] [--contestants Envoy,pymesh] [--rounds 5] [--seconds 3]

Interrupted or failed, it leaves no process and no file.
"""

import argparse
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import date
from itertools import chain
from pathlib import Path

import peers
from contest import Contest
from contestants import ENVOY, PYMESH, Contestant, Started
from footprint import FOOTPRINTS
from measurement import resident_kilobytes
from report import DETAILS, TARGETS, Verdict, detail_row, header, target_row
from rounds import Results, median_sample, ratio, run_rounds
from works import WORKS, Work

from pymesh.cli.demo.processes import Processes
from pymesh.cli.demo.shop import clear_proxy_variables
from pymesh.errors import PymeshError

_PROGRAMS = ("haproxy", "nginx", "taskset", "wrk")
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    args = parse_arguments()
    if (os.cpu_count() or 1) < 2:
        print("compare.py: needs two cores, one for the proxies, one for the load and the backend", file=sys.stderr)
        return 2
    if missing := [name for name in _PROGRAMS if shutil.which(name) is None]:
        print(f"compare.py: needs {', '.join(missing)} on the PATH", file=sys.stderr)
        return 2
    clear_proxy_variables()
    for number in _ENDS:
        signal.signal(number, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="pymesh-bench-") as directory:
        processes = Processes(Path(directory))
        try:
            if args.peers and not peers.is_installed():
                peers.install()
            print_report(Contest(Path(directory), processes), args)
        except PymeshError as error:
            print(f"compare.py: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("compare.py: interrupted", file=sys.stderr)
            return 130
        finally:
            for number in _ENDS:  # whoever is impatient must not leave processes behind
                signal.signal(number, signal.SIG_IGN)
            processes.stop_all()
    return 0


def parse_arguments() -> argparse.Namespace:
    names = [*(work.name for work in WORKS), *FOOTPRINTS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=_names, default=names, help=f"some of {','.join(names)} (all)")
    parser.add_argument("--contestants", type=_names, default=[], help="such as Envoy,pymesh (all)")
    parser.add_argument("--peers", action="store_true", help="install proxy.py and mitmproxy into benchmarks/.peers")
    parser.add_argument("--rounds", type=int, default=5, help="of which the median counts (5)")
    parser.add_argument("--seconds", type=int, default=3, help="of load for each contestant in each round (3)")
    args = parser.parse_args()
    if unknown := set(args.work) - set(names):
        parser.error(f"there is no work {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    return args


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def print_report(contest: Contest, args: argparse.Namespace) -> None:
    start = time.monotonic()
    print(f"{date.today().isoformat()}, {machine()}, {args.rounds} rounds of {args.seconds} s, 32 connections\n")
    _print(header(DETAILS))
    started = Started(contest, args.contestants)
    verdicts = []
    for work in WORKS:
        if work.name not in args.work or not (contestants := list(chain(*map(started.get, work.settings)))):
            continue
        results = run_rounds(contestants, work.load(started), args.rounds, args.seconds)
        _print(detail_rows(work, contestants, results))
        verdicts += judge(work, results)
    for name, measure in FOOTPRINTS.items():
        if name in args.work:
            verdicts += measure(contest, args.rounds)
    _print(["", *header(TARGETS), *map(target_row, verdicts), ""])
    _print([f"The run took {(time.monotonic() - start) / 60:.1f} minutes."])


def detail_rows(work: Work, contestants: Sequence[Contestant], results: Results) -> list[str]:
    rows = []
    for contestant in contestants:
        sample = median_sample(results[contestant.name])
        name = contestant.name if len(contestant.children) == 1 else f"{contestant.name} × {len(contestant.children)}"
        megabytes = resident_kilobytes(contestant.pids) / 1024
        cost = ratio(results, contestant.name, ENVOY, lambda sample: sample.cpu)
        rows.append(detail_row(work.title, work.unit, name, sample, cost, megabytes))
    return rows


def judge(work: Work, results: Results) -> list[Verdict]:
    """None without pymesh among the contestants."""
    if PYMESH not in results:
        return []
    figure = work.figure
    envoy = figure(median_sample(results[ENVOY])) if ENVOY in results else None
    value = ratio(results, PYMESH, work.base, figure)
    pymesh = figure(median_sample(results[PYMESH]))
    return [Verdict(work.title, work.figure_name, pymesh, envoy, value, work.target)]


def _print(lines: Sequence[str]) -> None:
    print(*lines, sep="\n", flush=True)


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown CPU")
    return f"{os.cpu_count()} cores of {model}, Linux {platform.release().split('-')[0]}, {python_version()}"


def python_version() -> str:
    return f"{platform.python_implementation()} {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main())
