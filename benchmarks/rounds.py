"""Rounds of measurements that alternate between the contestants, so that a noisy machine is noisy for all."""

from collections.abc import Callable, Sequence
from statistics import median

from contestants import Contestant
from measurement import Load, Sample, measure

Results = dict[str, list[Sample]]

WARM_UP_SECONDS = 1


def run_rounds(contestants: Sequence[Contestant], load: Load, rounds: int, seconds: int) -> Results:
    """Every contestant once a round; who begins changes with each round."""
    for contestant in contestants:
        _measure(contestant, load, WARM_UP_SECONDS)
    results: Results = {contestant.name: [] for contestant in contestants}
    for number in range(rounds):
        first = number % len(contestants)
        for contestant in (*contestants[first:], *contestants[:first]):
            results[contestant.name].append(_measure(contestant, load, seconds))
    return results


def _measure(contestant: Contestant, load: Load, seconds: int) -> Sample:
    return measure(contestant.load or load, contestant.port, contestant.pids, seconds)


def median_sample(samples: Sequence[Sample]) -> Sample:
    """The median of each figure by itself."""
    columns = ([value for value in column if value is not None] for column in zip(*samples, strict=True))
    cpu, rate, p50, p99 = (median(column) if column else None for column in columns)
    assert cpu is not None
    assert rate is not None
    return Sample(cpu, rate, p50, p99)


def ratio(results: Results, name: str, base: str, figure: Callable[[Sample], float]) -> float | None:
    """The median of the ratios round by round; None where the base did not take part."""
    if base not in results:
        return None
    pairs = zip(results[name], results[base], strict=True)
    return median(figure(sample) / figure(other) for sample, other in pairs)
