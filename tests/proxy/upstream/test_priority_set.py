import random
from collections import Counter
from dataclasses import replace

import pytest

from pymesh.proxy.upstream.endpoint import EndpointConfig
from pymesh.proxy.upstream.load_balancer import (
    NO_CONTEXT,
    LoadBalancerConfig,
    LoadBalancerContext,
    build_load_balancer,
)
from pymesh.proxy.upstream.priority_set import Health, PrioritySet, distribute_load

A, B, C = (EndpointConfig(f"10.0.0.{i}", 80) for i in (1, 2, 3))


class Pool:
    def __init__(self) -> None:
        self.is_drained = False

    def drain(self) -> None:
        self.is_drained = True


def make_set(
    *configs: EndpointConfig, policy: str = "ROUND_ROBIN", panic_threshold: float = 0.0, tls=None
) -> PrioritySet:
    chance = random.Random(3).random
    built = PrioritySet(
        lambda: build_load_balancer(LoadBalancerConfig(policy), chance),
        lambda config: (tls or {}).get(config.host),
        chance,
    )
    built.panic_threshold = panic_threshold
    built.update(configs)
    return built


def chosen(priorities: PrioritySet, times: int = 60, context: LoadBalancerContext = NO_CONTEXT) -> Counter:
    found = Counter()
    for _ in range(times):
        endpoint = priorities.choose(context)
        found[endpoint and endpoint.host] += 1
    return found


def unhealthy(config: EndpointConfig) -> EndpointConfig:
    return replace(config, is_healthy=False)


def test_an_endpoint_that_stays_is_the_same_object_with_its_connections():
    priorities = make_set(A, B)
    first = priorities.endpoints[0]
    first.pool, first.active_requests = Pool(), 3
    priorities.update([replace(A, weight=5), C])
    assert priorities.endpoints[0] is first
    assert first.weight == 5
    assert first.active_requests == 3
    assert not first.pool.is_drained


def test_an_endpoint_that_left_is_drained_and_never_chosen():
    priorities = make_set(A, B)
    gone = priorities.endpoints[1]
    gone.pool = Pool()
    priorities.update([A])
    assert gone.pool.is_drained
    assert set(chosen(priorities)) == {A.host}


def test_an_ejected_endpoint_stays_ejected_over_an_update():
    priorities = make_set(A, B)
    priorities.endpoints[0].set_ejected(True)
    priorities.update([A, B, C])
    assert set(chosen(priorities)) == {B.host, C.host}


def test_an_endpoint_whose_tls_changes_is_another_one():
    tls = {A.host: None}
    priorities = make_set(A, tls=tls)
    before = priorities.endpoints[0]
    before.pool = Pool()

    class Tls:
        class config:  # noqa: N801
            class common:  # noqa: N801
                is_mesh = True

    tls[A.host] = Tls()
    priorities.update([A])
    assert priorities.endpoints[0] is not before
    assert priorities.endpoints[0].is_mtls
    assert before.pool.is_drained


def test_of_two_entries_with_one_address_the_first_counts():
    priorities = make_set(replace(A, weight=3), replace(A, weight=7))
    assert [endpoint.weight for endpoint in priorities.endpoints] == [3]


def test_nobody_is_chosen_of_an_empty_set():
    assert make_set().choose(NO_CONTEXT) is None


def test_unhealthy_endpoints_are_not_chosen():
    assert set(chosen(make_set(A, unhealthy(B)))) == {A.host}


def test_without_panic_nobody_is_chosen_when_all_are_unhealthy():
    assert make_set(unhealthy(A), unhealthy(B)).choose(NO_CONTEXT) is None


def test_in_panic_all_are_chosen():
    priorities = make_set(A, unhealthy(B), unhealthy(C), panic_threshold=50)
    assert priorities.is_panicking
    assert set(chosen(priorities)) == {A.host, B.host, C.host}


def test_a_retry_goes_to_one_that_was_not_tried():
    priorities = make_set(A, B, policy="RANDOM")
    first = priorities.endpoints[0]
    assert set(chosen(priorities, context=LoadBalancerContext(tried=(first,)))) == {B.host}


def test_the_one_untried_of_many_is_found():
    priorities = make_set(*(EndpointConfig("10.0.1.1", port) for port in range(1, 101)), policy="RANDOM")
    tried = set(priorities.endpoints[1:])
    assert priorities.choose(LoadBalancerContext(tried=tried)) is priorities.endpoints[0]


def test_when_all_were_tried_one_of_them_is_tried_again():
    priorities = make_set(A, B)
    assert priorities.choose(LoadBalancerContext(tried=tuple(priorities.endpoints))) is not None


def test_the_next_priority_serves_only_what_the_first_cannot():
    backup = replace(C, priority=1)
    assert set(chosen(make_set(A, B, backup))) == {A.host, B.host}
    assert set(chosen(make_set(unhealthy(A), unhealthy(B), backup))) == {C.host}


def test_a_priority_that_is_half_healthy_shares_its_load():
    priorities = make_set(A, unhealthy(B), replace(C, priority=1))
    assert chosen(priorities, 1000)[A.host] == pytest.approx(700, abs=60)


@pytest.mark.parametrize(
    ("healths", "threshold", "loads", "panics"),
    [
        # https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/priority
        ([Health(100, 100), Health(100, 100)], 50, [100, 0], [False, False]),
        ([Health(100, 72), Health(100, 72)], 50, [100, 0], [False, False]),
        ([Health(100, 71), Health(100, 71)], 50, [99.4, 0.6], [False, False]),
        ([Health(100, 50), Health(100, 50)], 50, [70, 30], [False, False]),
        ([Health(100, 25), Health(100, 100)], 50, [35, 65], [False, False]),
        ([Health(100, 25), Health(100, 25)], 50, [50, 50], [True, True]),
        ([Health(100, 5), Health(100, 65)], 50, [7, 91], [True, False]),
        ([Health(10, 0), Health(10, 0)], 50, [100, 0], [True, True]),
        ([Health(10, 0)], 0, [100], [False]),
    ],
)
def test_load_is_distributed_as_envoys_documentation_says(healths, threshold, loads, panics):
    found, panicking = distribute_load(healths, 140, threshold)
    scale = 100 / sum(loads)
    assert found == pytest.approx([load * scale for load in loads], abs=0.01)
    assert panicking == panics
