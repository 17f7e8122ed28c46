"""What the comparison makes of what its loads printed and of the figures."""

import os
import signal
import subprocess

import pytest
from generators import parse_outcome
from measurement import MeasurementError, Sample, process_tree
from programs.outcome import percentile
from report import Verdict, detail_row, target_row
from rounds import median_sample, ratio
from spread import virtual_services
from wrk import parse_wrk

WRK = """Running 3s test @ http://127.0.0.1:8080/
  1 threads and 32 connections
  Latency Distribution
     50%  447.00us
     75%  560.00us
     90%    1.02ms
     99%    1.34s
  180000 requests in 3.00s, 225.90MB read
Requests/sec:  60000.00
"""


def test_wrk_is_read_in_milliseconds_and_requests() -> None:
    assert parse_wrk(WRK) == (180000, 3.0, 0.447, 1340.0)


@pytest.mark.parametrize(
    "line", ["  Non-2xx or 3xx responses: 7", "  Socket errors: connect 0, read 3, write 0, timeout 0"]
)
def test_a_run_with_failures_proves_nothing(line: str) -> None:
    with pytest.raises(MeasurementError, match=line.strip()):
        parse_wrk(WRK + line)


def test_a_run_without_an_answer_proves_nothing() -> None:
    with pytest.raises(MeasurementError, match="had no answer"):
        parse_wrk("  0 requests in 3.00s, 0B read")


def test_the_ratio_is_the_median_of_the_rounds_ratios_and_not_of_the_medians() -> None:
    results = {
        "Envoy": [Sample(cpu, 1.0, None, None) for cpu in (10.0, 20.0, 40.0)],
        "pymesh": [Sample(cpu, 1.0, None, None) for cpu in (10.0, 40.0, 20.0)],
    }
    assert ratio(results, "pymesh", "Envoy", lambda sample: sample.cpu) == 1.0
    assert ratio({"pymesh": results["pymesh"]}, "pymesh", "Envoy", lambda sample: sample.cpu) is None


def test_each_figure_has_a_median_of_its_own() -> None:
    samples = [Sample(1.0, 30.0, 5.0, None), Sample(3.0, 10.0, 6.0, None), Sample(2.0, 20.0, 4.0, None)]
    assert median_sample(samples) == (2.0, 20.0, 5.0, None)


def test_a_row_shows_a_dash_for_what_is_not_known() -> None:
    row = detail_row("TCP", "MB", "pymesh", Sample(123.4, 800.4, None, None), None, 51.6)
    assert row == "| TCP | pymesh | 123 / MB | – | 800 MB | – | – | 52 |"


@pytest.mark.parametrize(("value", "met"), [(0.75, "yes"), (0.751, "no"), (None, "–")])
def test_a_target_is_an_upper_bound(value: float | None, met: str) -> None:
    assert target_row(Verdict("plain", "µs", 30.0, 40.0, value, 0.75)).endswith(f"| ≤ 0.75 | {met} |")


def test_a_target_that_is_no_ratio_has_its_unit() -> None:
    row = target_row(Verdict("memory", "MB", 44.2, 66.0, 44.2, 45.0, is_ratio=False))
    assert row == "| memory | MB | 44.2 | 66.0 | – | ≤ 45 MB | yes |"


OUTCOME = '{"amount": 10, "seconds": 2.0, "p50": 1.5, "p99": null, "failures": %d}'


def test_what_a_generator_prints_becomes_an_outcome() -> None:
    assert parse_outcome("tcp_load.py", OUTCOME % 0) == (10, 2.0, 1.5, None)


def test_a_generator_with_failures_proves_nothing() -> None:
    with pytest.raises(MeasurementError, match=r"tcp_load\.py: 3 failed"):
        parse_outcome("tcp_load.py", OUTCOME % 3)


def test_a_percentile_is_one_of_the_latencies_in_milliseconds() -> None:
    latencies = [number / 1000 for number in range(100, 0, -1)]
    assert [percentile(latencies, percent) for percent in (50, 99)] == [51.0, 100.0]
    assert percentile([], 50) is None


def test_the_processes_of_a_proxy_are_it_and_all_that_descend_from_it() -> None:
    script = "sleep 30 & (sleep 30 & echo started; wait)"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True) as shell:
        try:
            assert shell.stdout is not None
            shell.stdout.readline()
            assert len(process_tree(shell.pid)) == 4
        finally:
            os.killpg(shell.pid, signal.SIGKILL)


def test_requests_are_spread_over_hosts_of_which_each_has_ten_routes() -> None:
    services = list(virtual_services("backend.bench"))
    assert {len(service["spec"]["http"]) for service in services} == {10}
    assert len({service["spec"]["hosts"][0] for service in services}) == 1000
