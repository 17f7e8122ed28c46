"""What a load prints at its end: one line of JSON."""

import json
from collections.abc import Sequence


def print_outcome(amount: float, seconds: float, latencies: Sequence[float], failures: int) -> None:
    """`latencies` in seconds; printed are milliseconds."""
    p50, p99 = (percentile(latencies, percent) for percent in (50, 99))
    print(json.dumps({"amount": amount, "seconds": seconds, "p50": p50, "p99": p99, "failures": failures}))


def percentile(latencies: Sequence[float], percent: float) -> float | None:
    """In milliseconds; the nearest rank. None of nothing."""
    if not latencies:
        return None
    ordered = sorted(latencies)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] * 1e3
