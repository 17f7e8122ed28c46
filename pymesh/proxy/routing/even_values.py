"""The values by which traffic is split: spread evenly, where independent random values would cluster. Pure."""

from collections.abc import Iterator

_GOLDEN_RATIO = 0.6180339887498949


def even_values(start: float) -> Iterator[float]:
    """Endless values in [0, 1), the first being `start`: a Weyl sequence, each a golden ratio further, modulo 1.

    Any stretch of n values, and any made of every k-th value, misses a share by about 1/n. Independent values miss an
    80/20 split by more than five points in one of two hundred runs of 500 requests.
    """
    value = start
    while True:
        yield value
        value += _GOLDEN_RATIO
        if value >= 1.0:
            value -= 1.0
