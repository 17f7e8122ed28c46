"""The Markdown tables that come of the figures. Pure."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from measurement import Sample

DETAILS = ("work", "proxy", "CPU µs", "ratio to Envoy", "a second", "p50 ms", "p99 ms", "RSS MB")
TARGETS = ("work", "figure", "pymesh", "Envoy", "ratio", "target", "met")


class Verdict(NamedTuple):
    """pymesh's figure beside Envoy's. `value` is what the target, an upper bound, is about."""

    work: str
    unit: str
    pymesh: float
    envoy: float | None
    value: float | None
    target: float
    is_ratio: bool = True


def header(columns: Sequence[str]) -> list[str]:
    return [row(columns), "|" + "---|" * len(columns)]


def row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def detail_row(work: str, unit: str, proxy: str, sample: Sample, ratio: float | None, megabytes: float) -> str:
    cpu = f"{number(sample.cpu)} / {unit}"
    rate = f"{sample.rate:.0f} {unit}{'' if unit.isupper() else 's'}"
    p50, p99 = (dash(value, "{:.2f}") for value in (sample.p50, sample.p99))
    return row((work, proxy, cpu, dash(ratio, "{:.2f}"), rate, p50, p99, f"{megabytes:.0f}"))


def target_row(verdict: Verdict) -> str:
    value = verdict.value
    met = "–" if value is None else "yes" if value <= verdict.target else "no"
    ratio = dash(value, "{:.2f}") if verdict.is_ratio else "–"
    envoy = "–" if verdict.envoy is None else number(verdict.envoy)
    target = f"≤ {verdict.target:g}" + ("" if verdict.is_ratio else f" {verdict.unit}")
    return row((verdict.work, verdict.unit, number(verdict.pymesh), envoy, ratio, target, met))


def dash(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


def number(value: float) -> str:
    """Three digits, at least."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
