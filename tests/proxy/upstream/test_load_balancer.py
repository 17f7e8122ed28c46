import random
from collections import Counter

import pytest

from pymesh.proxy.upstream.endpoint import Endpoint, EndpointConfig
from pymesh.proxy.upstream.lb_policy import LoadBalancerConfig, build_load_balancer
from pymesh.proxy.upstream.load_balancer import NO_CONTEXT, LoadBalancerContext
from pymesh.proxy.upstream.slow_start import SlowStart, SlowStartConfig


def endpoints(*weights: int) -> list[Endpoint]:
    return [Endpoint(EndpointConfig(f"10.0.0.{i}", 80, weight=weight)) for i, weight in enumerate(weights)]


def balancer(policy: str, members: list[Endpoint], seed: int = 1, **config):
    built = build_load_balancer(LoadBalancerConfig(policy, **config), random.Random(seed).random)
    built.update(members)
    return built


def counts(built, times: int) -> Counter:
    return Counter(built.choose(NO_CONTEXT).address for _ in range(times))


def test_round_robin_takes_all_in_turn():
    assert set(counts(balancer("ROUND_ROBIN", endpoints(1, 1, 1)), 9).values()) == {3}


def test_round_robin_does_not_begin_with_the_same_endpoint_in_every_proxy():
    members = endpoints(1, 1, 1, 1)
    firsts = {balancer("ROUND_ROBIN", members, seed).choose(NO_CONTEXT) for seed in range(20)}
    assert len(firsts) > 1


def test_weighted_round_robin_keeps_to_the_weights_and_spreads_them():
    built = balancer("ROUND_ROBIN", endpoints(3, 1))
    order = [built.choose(NO_CONTEXT).address for _ in range(400)]
    assert order.count("10.0.0.0:80") == pytest.approx(300, abs=1)
    assert "10.0.0.1:80 10.0.0.1:80" not in " ".join(order)


def test_least_request_prefers_the_less_busy_of_two():
    members = endpoints(1, 1)
    members[0].active_requests = 9
    built = balancer("LEAST_REQUEST", members)
    # drawn with replacement: the busy one is taken only if it is drawn twice
    assert counts(built, 1000)["10.0.0.0:80"] == pytest.approx(250, abs=50)


def test_least_request_with_more_choices_finds_the_idle_one_more_often():
    members = endpoints(1, 1, 1, 1)
    for busy in members[1:]:
        busy.active_requests = 5
    two = counts(balancer("LEAST_REQUEST", members), 1000)["10.0.0.0:80"]
    eight = counts(balancer("LEAST_REQUEST", members, choice_count=8), 1000)["10.0.0.0:80"]
    assert two < eight


def test_weighted_least_request_divides_the_weight_by_the_load():
    members = endpoints(1, 2)
    members[1].active_requests = 3  # 2 / 4 < 1 / 1
    chosen = counts(balancer("LEAST_REQUEST", members), 300)
    assert chosen["10.0.0.0:80"] == pytest.approx(200, abs=3)


def test_random_ignores_weights_as_envoy_does():
    chosen = counts(balancer("RANDOM", endpoints(1, 100)), 1000)
    assert chosen["10.0.0.0:80"] == pytest.approx(500, abs=60)


@pytest.mark.parametrize("policy", ["RING_HASH", "MAGLEV"])
def test_a_hash_always_meets_the_same_endpoint(policy):
    built = balancer(policy, endpoints(1, 1, 1, 1, 1), table_size=257)
    for value in (0, 1, 2**63, 2**64 - 1):
        assert len({built.choose(LoadBalancerContext(value)) for _ in range(5)}) == 1


@pytest.mark.parametrize("policy", ["RING_HASH", "MAGLEV"])
def test_without_a_hash_all_are_met(policy):
    assert len(counts(balancer(policy, endpoints(1, 1, 1), table_size=257), 200)) == 3


@pytest.mark.parametrize("policy", ["ROUND_ROBIN", "LEAST_REQUEST", "RANDOM", "RING_HASH", "MAGLEV"])
def test_a_new_set_is_used_at_once(policy):
    built = balancer(policy, endpoints(1, 1, 1), table_size=257)
    only = endpoints(1)
    built.update(only)
    assert built.choose(NO_CONTEXT) is only[0]
    assert built.choose(LoadBalancerContext(2**64 - 1)) is only[0]


# slow start


class Clock:
    now = 100.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def slow():
    """A clock, and two endpoints of which the second is new in a balancer of a window of 60 s."""
    clock, members = Clock(), endpoints(1, 1)
    members[0].healthy_since, members[1].healthy_since = 0.0, 100.0

    def build(policy="ROUND_ROBIN", **fields):
        config = LoadBalancerConfig(policy, slow_start=SlowStartConfig(60.0, **fields))
        built = build_load_balancer(config, random.Random(1).random, clock.time)
        built.update(members)
        return built

    return clock, members, build


@pytest.mark.parametrize(
    ("age", "fields", "share"),
    [
        (0.0, {}, 0.1),
        (0.0, {"min_weight_percent": 30.0}, 0.3),
        (0.0, {"min_weight_percent": 0.0}, 0.001 / 60),
        (15.0, {}, 0.25),
        (15.0, {"aggression": 2.0}, 0.5),  # 0.25 ** (1 / 2)
        (59.9, {}, 0.998),
        (60.0, {}, 1.0),
    ],
)
def test_an_endpoint_that_starts_slowly_has_a_share_of_its_weight(slow, age, fields, share):
    _, (_, new), _ = slow
    assert SlowStart(SlowStartConfig(60.0, **fields), lambda: 100.0 + age).factor(new) == pytest.approx(share, rel=1e-3)


def test_an_endpoint_that_is_not_healthy_does_not_start_slowly(slow):
    _, (old, new), _ = slow
    new.set_checked(is_failing=False, is_degraded=True)
    old.healthy_since = None
    started = SlowStart(SlowStartConfig(60.0), lambda: 100.0)
    assert started.factor(new) == started.factor(old) == 1.0


@pytest.mark.parametrize("policy", ["ROUND_ROBIN", "LEAST_REQUEST"])
def test_slow_start_gives_a_new_endpoint_less_until_its_window_ends(slow, policy):
    clock, (_, new), build = slow
    built = build(policy)
    assert counts(built, 1100)[new.address] == pytest.approx(100, abs=3)
    clock.now += 30
    assert counts(built, 1500)[new.address] == pytest.approx(500, abs=12)
    clock.now += 31
    assert counts(built, 1000)[new.address] == pytest.approx(500, abs=50)


def test_after_the_window_choosing_is_as_cheap_as_before(slow):
    clock, _, build = slow
    built = build()
    clock.now += 61
    built.choose(NO_CONTEXT)
    assert set(counts(built, 10).values()) == {5}
    assert built._schedule is None
