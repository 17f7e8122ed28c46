"""Delays between attempts. Pure: chance is an argument."""

from collections.abc import Callable, Iterator
from random import random


def exponential_backoff(base: float, maximum: float, random_value: Callable[[], float] = random) -> Iterator[float]:
    """Endless delays in seconds, full jitter: uniform in [0, min(base * 2**n, maximum)), never below base / 2.

    The floor keeps a client of a dead server from spinning.
    """
    ceiling = base
    while True:
        yield max(base / 2, ceiling * random_value())
        ceiling = min(ceiling * 2, maximum)
