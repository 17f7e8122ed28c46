"""Prometheus' standard figures of the process, read from /proc at a scrape."""

import os
import time

from pymesh.proxy.telemetry.metric_names import PROCESS_CPU, PROCESS_FDS, PROCESS_RSS, PROCESS_START
from pymesh.proxy.telemetry.proxy_metrics import ProxyMetrics

_PAGE = os.sysconf("SC_PAGE_SIZE")


def register_process_metrics(metrics: ProxyMetrics) -> None:
    start = time.time() - _age()
    metrics.read(PROCESS_CPU, time.process_time)
    metrics.read(PROCESS_RSS, _resident_bytes)
    metrics.read(PROCESS_FDS, lambda: len(os.listdir("/proc/self/fd")))
    metrics.read(PROCESS_START, lambda: start)


def _resident_bytes() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * _PAGE


def _age() -> float:
    """Seconds since the process began; proc_pid_stat(5), field 22 after the command's name in parentheses."""
    with open("/proc/self/stat") as stat, open("/proc/uptime") as uptime:
        started = int(stat.read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
        return float(uptime.read().split()[0]) - started
