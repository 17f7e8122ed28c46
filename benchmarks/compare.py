"""pymesh against Envoy and nginx: CPU a request, throughput, latency and memory, in one run on one machine.

Each proxy is pinned to one core; wrk, the backend and the control plane have the other. Rounds alternate between the
contestants, and the ratio to Envoy is the median of the ratios of each round, so a machine that is noisy for a while
is noisy for all. Envoy and pymesh run the same xDS resources. Metrics are on, the access log is off, pymesh samples
1 % of the traces. Prints a Markdown table.

    python benchmarks/compare.py [--rounds 5] [--seconds 3]

Interrupted or failed, it leaves no process and no file.
"""

import argparse
import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from statistics import median

from contestants import LOAD_CORE, MTLS_HOST, PLAIN_HOST, Contest, Contestant
from measurement import Load, Sample, measure, resident_megabytes

from pymesh.cli.demo.processes import Processes
from pymesh.cli.demo.shop import clear_proxy_variables
from pymesh.errors import PymeshError

BASELINE = "Envoy"
WARM_UP_SECONDS = 1
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Results = dict[str, list[Sample]]


def main() -> int:
    args = parse_arguments()
    if (os.cpu_count() or 1) < 2:
        print("compare.py: needs two cores, one for the proxies, one for wrk and the backend", file=sys.stderr)
        return 2
    if missing := [name for name in ("nginx", "taskset", "wrk") if shutil.which(name) is None]:
        print(f"compare.py: needs {', '.join(missing)} on the PATH", file=sys.stderr)
        return 2
    clear_proxy_variables()
    for number in _ENDS:
        signal.signal(number, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="pymesh-bench-") as directory:
        processes = Processes(Path(directory))
        try:
            print_report(Contest(Path(directory), processes), args.rounds, args.seconds)
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="of which the median counts (5)")
    parser.add_argument("--seconds", type=int, default=3, help="of load for each contestant in each round (3)")
    return parser.parse_args()


def print_report(contest: Contest, rounds: int, seconds: int) -> None:
    print(f"{date.today().isoformat()}, {machine()}, {rounds} rounds of {seconds} s, GET of 1 KB, 32 connections\n")
    print("| work | proxy | CPU µs/request | ratio to Envoy | requests/s | p50 ms | p99 ms | RSS MB |")
    print("|---|---|---|---|---|---|---|---|")
    contest.start_backend()
    for work, host, start in (
        ("plain HTTP", PLAIN_HOST, contest.start_plain),
        ("mTLS, client's and server's proxy together", MTLS_HOST, contest.start_mtls_pair),
    ):
        contestants = start()
        results = run_rounds(contestants, host, rounds, seconds)
        for line in table_rows(work, contestants, results):
            print(line, flush=True)


def run_rounds(contestants: list[Contestant], host: str, rounds: int, seconds: int) -> Results:
    """Every contestant once a round; who begins changes with each round."""
    for contestant in contestants:
        measure(load_of(contestant, host, WARM_UP_SECONDS), contestant.pids)
    results: Results = {contestant.name: [] for contestant in contestants}
    for number in range(rounds):
        first = number % len(contestants)
        for contestant in (*contestants[first:], *contestants[:first]):
            results[contestant.name].append(measure(load_of(contestant, host, seconds), contestant.pids))
    return results


def load_of(contestant: Contestant, host: str, seconds: int) -> Load:
    return Load(f"http://127.0.0.1:{contestant.port}/", host, int(LOAD_CORE), seconds=seconds)


def table_rows(work: str, contestants: list[Contestant], results: Results) -> Iterator[str]:
    for contestant in contestants:
        samples = results[contestant.name]
        pairs = zip(samples, results[BASELINE], strict=True)
        ratio = median(sample.cpu / envoy.cpu for sample, envoy in pairs)
        cpu, rps, p50, p99 = (median(figures) for figures in zip(*samples, strict=True))
        memory = resident_megabytes(contestant.pids)
        name = contestant.name if len(contestant.children) == 1 else f"{contestant.name} × {len(contestant.children)}"
        yield f"| {work} | {name} | {cpu:.1f} | {ratio:.2f} | {rps:.0f} | {p50:.2f} | {p99:.2f} | {memory:.0f} |"


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown CPU")
    return f"{os.cpu_count()} cores of {model}, Linux {platform.release().split('-')[0]}, {python_version()}"


def python_version() -> str:
    return f"{platform.python_implementation()} {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main())
