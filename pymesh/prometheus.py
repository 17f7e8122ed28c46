"""Prometheus' text format, line by line: both planes show thousands of samples from the loop that also serves.

A thousand HTTP series of a sidecar are 67,000 lines with 24 labels each: 85 ms here, 1.65 s with prometheus_client's
generate_latest (benchmarks/test_scrape.py, CPython 3.11, 2-core EPYC), which also makes all of it before the first byte
can leave. Its parser checks this in the tests.

https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", '"': '\\"'})
_HELP_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n"})


def label_text(names: Sequence[str], values: Sequence[str]) -> str:
    """`a="1",b="2"`, without braces: a histogram adds its `le`."""
    return ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in zip(names, values, strict=True))


def family_lines(name: str, kind: str, description: str) -> str:
    """The two comment lines that begin a metric; `kind` is counter, gauge or histogram."""
    return f"# HELP {name} {description.translate(_HELP_ESCAPES)}\n# TYPE {name} {kind}\n"


def sample_line(name: str, labels: str, value: float) -> str:
    return f"{name}{{{labels}}} {value:.16g}\n" if labels else f"{name} {value:.16g}\n"


def bound_texts(bounds: Sequence[float]) -> tuple[str, ...]:
    """The `le` values of a histogram with these upper bounds."""
    return (*(f"{bound:.16g}" for bound in bounds), "+Inf")


def histogram_lines(
    name: str, labels: str, bounds: Sequence[str], counts: Sequence[int], total: float
) -> Iterator[str]:
    """`bounds` as from `bound_texts`; `counts` one a bucket, not cumulative."""
    comma = "," if labels else ""
    prefix = f'{name}_bucket{{{labels}{comma}le="'
    count = 0
    for bound, count in zip(bounds, accumulate(counts), strict=True):
        yield f'{prefix}{bound}"}} {count}\n'
    yield sample_line(f"{name}_sum", labels, total)
    yield sample_line(f"{name}_count", labels, count)
