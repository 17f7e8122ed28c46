import random
from collections import Counter
from dataclasses import replace

import pytest

from pymesh.proxy.upstream.endpoint import Endpoint, EndpointConfig, Locality
from pymesh.proxy.upstream.lb_policy import LoadBalancerConfig, build_load_balancer
from pymesh.proxy.upstream.load_balancer import NO_CONTEXT, LoadBalancerContext
from pymesh.proxy.upstream.priority_set import PriorityPolicy, PrioritySet

A, B, C = (EndpointConfig(f"10.0.0.{i}", 80) for i in (1, 2, 3))


def make_set(
    *members: EndpointConfig | Endpoint, policy: str = "ROUND_ROBIN", panic_threshold: float = 0.0, **fields
) -> tuple[PrioritySet, list[Endpoint]]:
    chance = random.Random(3).random
    config = LoadBalancerConfig(policy)
    priorities = PrioritySet(
        PriorityPolicy(panic_threshold=panic_threshold, follows_hash=config.follows_hash, **fields),
        lambda: build_load_balancer(config, chance),
        chance,
    )
    endpoints = [Endpoint(member) if isinstance(member, EndpointConfig) else member for member in members]
    priorities.update(endpoints)
    return priorities, endpoints


def chosen(priorities: PrioritySet, times: int = 60, context: LoadBalancerContext = NO_CONTEXT) -> Counter:
    found = Counter()
    for _ in range(times):
        endpoint = priorities.choose(context)
        found[endpoint and endpoint.host] += 1
    return found


def unhealthy(config: EndpointConfig) -> EndpointConfig:
    return replace(config, is_healthy=False)


def test_nobody_is_chosen_of_an_empty_set():
    assert make_set()[0].choose(NO_CONTEXT) is None


def test_unhealthy_endpoints_are_not_chosen():
    assert set(chosen(make_set(A, unhealthy(B))[0])) == {A.host}


def test_without_panic_nobody_is_chosen_when_all_are_unhealthy():
    assert make_set(unhealthy(A), unhealthy(B))[0].choose(NO_CONTEXT) is None


def test_in_panic_all_are_chosen():
    priorities, _ = make_set(A, unhealthy(B), unhealthy(C), panic_threshold=50)
    assert priorities.is_panicking
    assert set(chosen(priorities)) == {A.host, B.host, C.host}


def test_a_retry_goes_to_one_that_was_not_tried():
    priorities, (first, _) = make_set(A, B, policy="RANDOM")
    assert set(chosen(priorities, context=LoadBalancerContext(tried=(first,)))) == {B.host}


def test_the_one_untried_of_many_is_found():
    priorities, members = make_set(*(EndpointConfig("10.0.1.1", port) for port in range(1, 101)), policy="RANDOM")
    assert priorities.choose(LoadBalancerContext(tried=set(members[1:]))) is members[0]


def test_when_all_were_tried_one_of_them_is_tried_again():
    priorities, members = make_set(A, B)
    assert priorities.choose(LoadBalancerContext(tried=members)) is not None


def test_the_next_priority_serves_only_what_the_first_cannot():
    backup = replace(C, priority=1)
    assert set(chosen(make_set(A, B, backup)[0])) == {A.host, B.host}
    assert set(chosen(make_set(unhealthy(A), unhealthy(B), backup)[0])) == {C.host}


def test_a_priority_that_is_half_healthy_shares_its_load():
    priorities, _ = make_set(A, unhealthy(B), replace(C, priority=1))
    assert chosen(priorities, 1000)[A.host] == pytest.approx(700, abs=60)


def test_degraded_endpoints_take_only_what_the_healthy_cannot():
    degraded = replace(B, is_degraded=True)
    half = chosen(make_set(A, degraded, panic_threshold=50)[0], 1000)
    assert half[A.host] == pytest.approx(700, abs=60)
    assert half[B.host] == pytest.approx(300, abs=60)
    enough = (A, replace(A, port=81), replace(A, port=82), degraded)  # 75 % x 1.4 > 100 %
    assert set(chosen(make_set(*enough)[0])) == {A.host}
    assert set(chosen(make_set(degraded)[0])) == {B.host}


def test_in_panic_traffic_fails_where_the_cluster_wants_it():
    priorities, _ = make_set(A, unhealthy(B), unhealthy(C), panic_threshold=50, fail_traffic_on_panic=True)
    assert set(chosen(priorities)) == {None}


def test_what_a_priority_that_fails_would_get_fails_and_the_rest_does_not():
    lost = [replace(EndpointConfig("10.1.0.1", port), is_healthy=port == 1) for port in range(1, 5)]
    backup = [replace(C, port=port, priority=1, is_healthy=port != 3) for port in range(1, 4)]
    priorities, _ = make_set(*lost, *backup, panic_threshold=50, fail_traffic_on_panic=True)
    # P0: 25 % x 1.4 = 35 %; P1: 66 % x 1.4 = 93 %: together above 100 %, so that nobody panics
    assert not priorities.is_panicking
    assert set(chosen(priorities)) == {"10.1.0.1", C.host}


def test_with_hashing_the_hash_chooses_the_priority_too():
    priorities, _ = make_set(A, unhealthy(B), replace(C, priority=1), policy="RING_HASH")
    assert {priorities.choose(LoadBalancerContext(value)).host for value in range(70)} == {A.host}
    assert {priorities.choose(LoadBalancerContext(value)).host for value in range(70, 100)} == {C.host}


def test_endpoints_that_wait_for_their_first_check_do_not_count():
    waiting = Endpoint(B)
    waiting.set_checked(is_failing=True, is_excluded=True)
    priorities, _ = make_set(A, waiting, replace(C, priority=1))
    assert set(chosen(priorities)) == {A.host}


# localities

EAST, WEST = Locality("east"), Locality("west")


def at(config: EndpointConfig, locality: Locality, weight: int, **fields) -> EndpointConfig:
    return replace(config, locality=locality, locality_weight=weight, **fields)


def test_localities_get_what_their_weights_say_whatever_their_size():
    priorities, _ = make_set(at(A, EAST, 1), at(B, EAST, 1), at(C, WEST, 3), has_locality_weights=True)
    counts = chosen(priorities, 800)
    assert counts[C.host] == pytest.approx(600, abs=2)
    assert counts[A.host] == pytest.approx(100, abs=2)


def test_a_locality_that_is_half_healthy_gets_less():
    members = (at(A, EAST, 1), at(unhealthy(B), EAST, 1), at(C, WEST, 1))
    counts = chosen(make_set(*members, has_locality_weights=True)[0], 1700)
    assert counts[A.host] == pytest.approx(700, abs=2)


def test_a_locality_without_weight_gets_nothing_beside_one_that_has_some():
    assert set(chosen(make_set(at(A, EAST, 0), at(B, WEST, 1), has_locality_weights=True)[0])) == {B.host}


def test_where_no_locality_has_a_weight_all_endpoints_are_equal():
    priorities, _ = make_set(at(A, EAST, 0), at(B, WEST, 0), has_locality_weights=True)
    assert chosen(priorities) == {A.host: 30, B.host: 30}


def test_weights_of_localities_count_only_where_the_cluster_says_so():
    assert chosen(make_set(at(A, EAST, 1), at(B, WEST, 9))[0]) == {A.host: 30, B.host: 30}


def test_in_panic_localities_have_no_weights():
    members = (at(A, EAST, 1), at(unhealthy(B), EAST, 1), at(unhealthy(C), WEST, 9))
    counts = chosen(make_set(*members, has_locality_weights=True, panic_threshold=50)[0])
    assert counts == {A.host: 20, B.host: 20, C.host: 20}


class Retried(LoadBalancerContext):
    """A request that failed at some endpoints, and whose retries leave some priorities out."""

    def __init__(self, tried: list[Endpoint], avoided: set[int]) -> None:
        super().__init__(tried=tried)
        self.avoided = avoided

    def avoided_priorities(self) -> set[int]:
        return self.avoided


def test_retry_that_avoids_a_priority_goes_to_the_next_that_is_healthy():
    near, far, sick = A, replace(B, priority=2), unhealthy(replace(C, priority=1))
    priorities, endpoints = make_set(near, far, sick)
    assert set(chosen(priorities, context=Retried(endpoints[:1], set()))) == {A.host}
    assert set(chosen(priorities, context=Retried(endpoints[:1], {0}))) == {B.host}
    assert set(chosen(priorities, context=Retried(endpoints[:2], {0, 2}))) == {A.host}
