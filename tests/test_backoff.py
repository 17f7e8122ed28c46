from itertools import islice

from pymesh.backoff import exponential_backoff


def test_delays_double_up_to_the_maximum():
    delays = exponential_backoff(base=1.0, maximum=5.0, random_value=lambda: 1.0)
    assert list(islice(delays, 5)) == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_jitter_never_goes_below_half_the_base():
    delays = exponential_backoff(base=1.0, maximum=5.0, random_value=lambda: 0.0)
    assert list(islice(delays, 3)) == [0.5, 0.5, 0.5]
