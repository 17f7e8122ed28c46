"""Ages as kubectl writes them."""

from datetime import timedelta

import pytest

from pymesh.control.api.columns import human_duration


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(seconds=-1), "0s"),
        (timedelta(seconds=119), "119s"),
        (timedelta(minutes=3, seconds=20), "3m20s"),
        (timedelta(minutes=3), "3m"),
        (timedelta(minutes=12, seconds=5), "12m"),
        (timedelta(hours=5, minutes=10), "5h10m"),
        (timedelta(hours=30), "30h"),
        (timedelta(days=3, hours=4), "3d4h"),
        (timedelta(days=40), "40d"),
    ],
)
def test_ages_are_short(age: timedelta, text: str) -> None:
    assert human_duration(age) == text
