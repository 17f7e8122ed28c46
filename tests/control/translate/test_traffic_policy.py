"""Rule, subset, port: which block of a DestinationRule holds."""

from pymesh.control.model.destination_rule import (
    ConnectionPoolSettings,
    ConsistentHashLB,
    LoadBalancerSettings,
    OutlierDetection,
    PortTrafficPolicy,
    Subset,
    TCPSettings,
    TrafficPolicy,
)
from pymesh.control.model.messages import PortSelector
from pymesh.control.snapshot.destination_rules import MergedDestinationRule
from pymesh.control.snapshot.visibility import Visibility
from pymesh.control.translate.traffic_policy import NO_POLICY, consistent_hash, effective_policy

POOL = ConnectionPoolSettings(tcp=TCPSettings(max_connections=1))
OTHER_POOL = ConnectionPoolSettings(tcp=TCPSettings(connect_timeout="1s"))
RANDOM = LoadBalancerSettings(simple="RANDOM")
OUTLIERS = OutlierDetection(interval="1s")


def _hash(header: str) -> LoadBalancerSettings:
    return LoadBalancerSettings(consistent_hash=ConsistentHashLB(http_header_name=header))


def _rule(policy: TrafficPolicy | None, subset: TrafficPolicy | None = None) -> MergedDestinationRule:
    subsets = (Subset(name="v1", traffic_policy=subset),)
    return MergedDestinationRule("x", "default", Visibility("default", True), {}, policy, subsets)


def _at(number: int, **blocks: object) -> PortTrafficPolicy:
    return PortTrafficPolicy(port=PortSelector(number), **blocks)  # type: ignore[arg-type]


def test_no_rule_is_no_policy():
    assert effective_policy(None, 80, "v1") == NO_POLICY


def test_subset_without_policy_has_the_rules():
    assert effective_policy(_rule(TrafficPolicy(load_balancer=RANDOM)), 80, "v1").load_balancer is RANDOM


def test_subset_overrides_per_block_not_per_leaf():
    rule = _rule(
        TrafficPolicy(connection_pool=POOL, outlier_detection=OUTLIERS), TrafficPolicy(connection_pool=OTHER_POOL)
    )
    policy = effective_policy(rule, 80, "v1")
    assert policy.connection_pool is OTHER_POOL
    assert policy.outlier_detection is OUTLIERS


def test_port_level_setting_replaces_the_rule_and_leaves_defaults():
    top = TrafficPolicy(
        connection_pool=POOL, load_balancer=RANDOM, port_level_settings=(_at(80, outlier_detection=OUTLIERS),)
    )
    policy = effective_policy(_rule(top), 80)
    assert policy == TrafficPolicy(outlier_detection=OUTLIERS)
    assert effective_policy(_rule(top), 81).connection_pool is POOL


def test_subsets_port_level_setting_replaces_everything_above_it():
    subset = TrafficPolicy(load_balancer=RANDOM, port_level_settings=(_at(80, connection_pool=OTHER_POOL),))
    policy = effective_policy(_rule(TrafficPolicy(outlier_detection=OUTLIERS), subset), 80, "v1")
    assert policy == TrafficPolicy(connection_pool=OTHER_POOL)


def test_subset_inherits_the_rules_port_level_setting():
    top = TrafficPolicy(load_balancer=RANDOM, port_level_settings=(_at(80, connection_pool=POOL),))
    assert effective_policy(_rule(top, TrafficPolicy(outlier_detection=OUTLIERS)), 80, "v1") == TrafficPolicy(
        connection_pool=POOL, outlier_detection=OUTLIERS
    )


def test_hash_of_subset_port_beats_subset_beats_port_beats_top():
    top = TrafficPolicy(load_balancer=_hash("top"), port_level_settings=(_at(80, load_balancer=_hash("port")),))
    subset = TrafficPolicy(
        load_balancer=_hash("subset"), port_level_settings=(_at(80, load_balancer=_hash("subset-port")),)
    )
    rule = _rule(top, subset)
    found = [consistent_hash(rule, port, name) for port, name in ((80, "v1"), (81, "v1"), (80, ""), (81, ""))]
    assert [item.http_header_name for item in found if item] == ["subset-port", "subset", "port", "top"]


def test_port_level_hash_needs_a_destination_that_names_the_port():
    top = TrafficPolicy(load_balancer=_hash("top"), port_level_settings=(_at(80, load_balancer=_hash("port")),))
    found = consistent_hash(_rule(top), None, "")
    assert found is not None
    assert found.http_header_name == "top"


def test_nearer_balancer_that_does_not_hash_ends_the_search():
    rule = _rule(TrafficPolicy(load_balancer=_hash("top")), TrafficPolicy(load_balancer=RANDOM))
    assert consistent_hash(rule, 80, "v1") is None
