import pytest

from pymesh.proxy.upstream.endpoint import Endpoint, EndpointConfig
from pymesh.proxy.upstream.priority_load import Health, PriorityLoad, count_health, distribute_load


@pytest.mark.parametrize(
    ("healths", "threshold", "loads", "panics"),
    [
        # https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/priority
        ([Health(100, 100), Health(100, 100)], 50, [100, 0], [False, False]),
        ([Health(100, 72), Health(100, 72)], 50, [100, 0], [False, False]),
        ([Health(100, 71), Health(100, 71)], 50, [99, 1], [False, False]),
        ([Health(100, 50), Health(100, 50)], 50, [70, 30], [False, False]),
        ([Health(100, 25), Health(100, 100)], 50, [35, 65], [False, False]),
        # in total panic by the number of endpoints
        ([Health(100, 25), Health(100, 25)], 50, [50, 50], [True, True]),
        ([Health(30, 0), Health(10, 0)], 50, [75, 25], [True, True]),
        # 7 + 91 = 98: scaled, and what rounding leaves goes to the first
        ([Health(100, 5), Health(100, 65)], 50, [8, 92], [True, False]),
        ([Health(10, 0)], 0, [100], [False]),
        ([Health(0, 0), Health(10, 10)], 50, [0, 100], [False, False]),
        ([], 50, [], []),
    ],
)
def test_load_is_distributed_as_envoy_does(healths, threshold, loads, panics):
    found = distribute_load(healths, 140, threshold)
    assert [load.healthy for load in found] == loads
    assert [load.is_panicking for load in found] == panics


@pytest.mark.parametrize(
    ("health", "load"),
    [
        # https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/degraded
        (Health(100, 100, 0), PriorityLoad(100, 0)),
        (Health(100, 71, 0), PriorityLoad(100, 0)),
        (Health(100, 71, 29), PriorityLoad(99, 1)),
        (Health(100, 25, 65), PriorityLoad(35, 65)),
        (Health(100, 5, 0), PriorityLoad(100, 0, True)),
    ],
)
def test_degraded_endpoints_get_what_is_left(health, load):
    assert distribute_load([health]) == [load]


def test_weights_say_what_a_priority_can_take_and_heads_whether_it_panics():
    healths, weights = [Health(4, 1), Health(4, 4)], [Health(100, 97), Health(4, 4)]
    assert [load.healthy for load in distribute_load(healths, weights=weights)] == [100, 0]
    assert [load.healthy for load in distribute_load(healths)] == [35, 65]


def test_health_is_counted_in_heads_or_in_weights():
    heavy, light, sick, degraded, waiting = (
        Endpoint(EndpointConfig("10.0.0.1", port, weight=port, is_healthy=port != 3, is_degraded=port == 4))
        for port in range(1, 6)
    )
    waiting.set_checked(is_failing=True, is_excluded=True)
    members = (heavy, light, sick, degraded, waiting)
    assert count_health(members) == Health(4, 2, 1)
    assert count_health(members, is_weighted=True) == Health(10, 3, 4)
