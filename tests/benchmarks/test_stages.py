"""The stages run, and one that has become slower shows."""

import asyncio
import json

import pytest
from hot_path import HotPath
from stages import BASELINE, OK, compare, measure_stages, stages


def test_every_stage_runs_and_has_a_baseline() -> None:
    loop = asyncio.new_event_loop()
    try:
        costs = measure_stages(stages(HotPath(loop, OK)), rounds=2, batch=5)
    finally:
        loop.close()
    assert all(cost > 0 for cost in costs.values())
    assert all(set(baseline) == set(costs) for baseline in json.loads(BASELINE.read_text()).values())


@pytest.mark.parametrize(("cost", "change", "is_slower"), [(2.38, "+19%", False), (2.42, "+21% SLOWER", True)])
def test_a_stage_that_costs_more_than_a_fifth_more_is_marked(cost: float, change: str, is_slower: bool) -> None:
    assert list(compare({"route": cost}, {"route": 2.0}, unit=1000.0)) == [
        (f"| route | {cost * 1000:.0f} | 2000 | {change} |", is_slower)
    ]


def test_a_stage_without_a_baseline_is_shown_without_a_verdict() -> None:
    assert list(compare({"route": 1.0}, {}, unit=1000.0)) == [("| route | 1000 | – | – |", False)]
