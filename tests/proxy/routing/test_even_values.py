from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pymesh.proxy.routing.even_values import even_values

STARTS = st.floats(min_value=0, max_value=1, exclude_max=True)


@given(STARTS)
def test_values_are_in_the_unit_interval(start):
    assert all(0 <= value < 1 for value in islice(even_values(start), 1000))


@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 8])
@given(start=STARTS, share=st.floats(min_value=0, max_value=1))
def test_a_share_is_met_within_two_points_in_500_requests_also_by_every_kth(step, start, share):
    values = islice(even_values(start), 0, 500 * step, step)
    assert abs(sum(value < share for value in values) / 500 - share) < 0.02
