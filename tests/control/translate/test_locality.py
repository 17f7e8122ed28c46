from dataclasses import replace

import pytest

from pymesh.control.model.destination_rule import Distribute, Failover, LocalityLoadBalancerSetting
from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.snapshot.instance import Locality, build_stand_in, parse_locality
from pymesh.control.snapshot.mesh_service import Endpoint
from pymesh.control.translate.locality import (
    LocalityGroup,
    LocalityLb,
    distribute,
    effective_setting,
    fail_over,
    matches,
    prefer,
)

HERE = Locality("eu", "berlin", "r1")
PLACES = ("eu/berlin/r1", "eu/berlin/r2", "eu/paris/r1", "us/ohio/r1", "asia/tokyo/r1")


def endpoint(address: str, place: str = "", **labels: str) -> Endpoint:
    instance = replace(build_stand_in(address, "default"), locality=parse_locality(place), labels=labels)
    return Endpoint(address, 80, instance, False)


def group(place: str, weight: int = 1, *members: Endpoint) -> LocalityGroup:
    return LocalityGroup(parse_locality(place), members, weight)


ALL = [group(place) for place in PLACES]


def priorities(groups: list[LocalityGroup]) -> list[int]:
    return [item.priority for item in groups]


@pytest.mark.parametrize(
    ("pattern", "is_match"),
    [
        ("eu", True),
        ("*", True),
        ("eu/*", True),
        ("eu/berlin", True),
        ("eu/berlin/r1", True),
        ("eu/berlin/r2", False),
        ("eu/paris", False),
        ("us", False),
    ],
)
def test_a_pattern_leaves_out_what_does_not_matter(pattern, is_match):
    assert matches(HERE, pattern) == is_match


def test_the_nearest_come_first():
    assert priorities(fail_over(ALL, HERE, ())) == [0, 1, 2, 3, 3]


def test_priorities_have_no_gaps():
    assert priorities(fail_over(ALL[2:], HERE, ())) == [0, 1, 1]


def test_a_rule_says_which_other_region_comes_first():
    assert priorities(fail_over(ALL, HERE, (Failover("eu", "asia"),))) == [0, 1, 2, 4, 3]
    assert priorities(fail_over(ALL, HERE, (Failover("us", "asia"),))) == [0, 1, 2, 3, 3]


def test_weights_of_localities_are_shared_among_those_that_a_pattern_fits():
    rule = Distribute("eu/berlin/*", {"eu": 70, "us": 30})
    groups = [group("eu/berlin/r1", 1), group("eu/paris/r1", 3), group("us/ohio/r1", 2), group("asia/tokyo/r1", 9)]
    found = {item.locality: item.weight for item in distribute(groups, HERE, (rule,))}
    assert found == {("eu", "berlin", "r1"): 18, ("eu", "paris", "r1"): 53, ("us", "ohio", "r1"): 30}


def test_rules_for_other_proxies_change_nothing():
    assert distribute(ALL, HERE, (Distribute("us", {"us": 100}),)) == ALL


def test_endpoints_that_share_more_labels_from_the_first_on_come_first():
    members = (
        endpoint("1", tier="gold", zone="a"),
        endpoint("2", tier="gold", zone="b"),
        endpoint("3", tier="silver", zone="a"),
    )
    found = prefer([group("eu/berlin/r1", 3, *members)], {"tier": "gold", "zone": "a"}, ("tier", "zone"))
    assert [(item.priority, [member.address for member in item.endpoints], item.weight) for item in found] == [
        (0, ["1"], 1),
        (1, ["2"], 1),
        (2, ["3"], 1),
    ]


def test_a_key_with_a_value_stands_for_the_proxys_own():
    members = (endpoint("1", version="v1"), endpoint("2", version="v2"))
    found = prefer([group("eu", 2, *members)], {"version": "v1"}, ("version=v2",))
    assert [(item.priority, item.endpoints[0].address) for item in found] == [(0, "2"), (1, "1")]


def test_the_parts_of_a_locality_are_labels_too():
    near, far = endpoint("1", "eu/berlin/r1"), endpoint("2", "us/ohio/r1")
    groups = [group("eu/berlin/r1", 1, near), group("us/ohio/r1", 1, far)]
    found = prefer(groups, {"topology.kubernetes.io/region": "us"}, ("topology.kubernetes.io/region",))
    assert priorities(found) == [1, 0]


def test_failover_between_regions_comes_after_labels():
    members = [
        group("us/ohio/r1", 1, endpoint("1", "us/ohio/r1", tier="gold")),
        group("asia/tokyo/r1", 1, endpoint("2", "asia/tokyo/r1", tier="gold")),
        group("eu/berlin/r1", 1, endpoint("3", "eu/berlin/r1", tier="silver")),
    ]
    setting = LocalityLoadBalancerSetting(failover=(Failover("eu", "asia"),), failover_priority=("tier",))
    found = LocalityLb(setting, HERE, {"tier": "gold"}, can_fail_over=True).apply(members)
    assert priorities(found) == [1, 0, 2]


def test_without_outlier_detection_nobody_fails_over_but_weights_hold():
    failover = LocalityLoadBalancerSetting(failover=(Failover("eu", "us"),))
    assert LocalityLb(failover, HERE).apply(ALL) == ALL
    assert not LocalityLb(failover, HERE).is_weighted
    weights = LocalityLb(LocalityLoadBalancerSetting(distribute=(Distribute("*", {"us": 100}),)), HERE)
    assert [item.locality.region for item in weights.apply(ALL)] == ["us"]
    assert weights.is_weighted


def test_by_default_nearness_counts_but_weights_of_localities_do_not():
    lb = LocalityLb(LocalityLoadBalancerSetting(), HERE, can_fail_over=True)
    assert priorities(lb.apply(ALL)) == [0, 1, 2, 3, 3]
    assert not lb.is_weighted


def test_a_rules_setting_replaces_the_meshs_and_may_switch_it_off():
    own = LocalityLoadBalancerSetting(failover_priority=("a",))
    off = LocalityLoadBalancerSetting(enabled=False)
    assert effective_setting(MeshConfig(), own) is own
    assert effective_setting(MeshConfig(), off) is None
    assert effective_setting(MeshConfig(locality_lb_setting=off), None) is None
    assert effective_setting(MeshConfig(locality_lb_setting=off), own) is own
