import random

import pytest

from pymesh.proxy.matchers.metadata_match import freeze_match
from pymesh.proxy.upstream.endpoint import Endpoint, EndpointConfig
from pymesh.proxy.upstream.lb_policy import LoadBalancerConfig, build_load_balancer
from pymesh.proxy.upstream.load_balancer import LoadBalancerContext
from pymesh.proxy.upstream.priority_set import PriorityPolicy, PrioritySet
from pymesh.proxy.upstream.subset_balancer import SubsetBalancer
from pymesh.proxy.upstream.subset_config import SubsetConfig, SubsetSelector

V1, V1_CANARY, V2, PLAIN = (
    EndpointConfig(f"10.0.0.{i}", 80, lb_metadata=metadata)
    for i, metadata in enumerate(
        ({"version": "v1", "canary": False}, {"version": "v1", "canary": True}, {"version": "v2", "canary": False}, {}),
        1,
    )
)
ALL = {V1.host, V1_CANARY.host, V2.host, PLAIN.host}
CONFIG = LoadBalancerConfig("ROUND_ROBIN")
BY_VERSION, BY_BOTH = SubsetSelector(("version",)), SubsetSelector(("canary", "version"))


class Context(LoadBalancerContext):
    def __init__(self, **metadata) -> None:
        super().__init__()
        self.match = freeze_match(metadata)

    def metadata_match(self):
        return self.match


def make(*selectors: SubsetSelector, members=(V1, V1_CANARY, V2, PLAIN), **fields):
    chance = random.Random(3).random

    def build():
        policy = PriorityPolicy(panic_threshold=0.0)
        return PrioritySet(policy, lambda: build_load_balancer(CONFIG, chance), chance)

    balancer = SubsetBalancer(SubsetConfig(selectors or (BY_VERSION, BY_BOTH), **fields), build)
    balancer.update([Endpoint(member) for member in members])
    return balancer


def hosts(balancer: SubsetBalancer, **metadata) -> set[str | None]:
    found = (balancer.choose(Context(**metadata)) for _ in range(20))
    return {endpoint and endpoint.host for endpoint in found}


def test_the_endpoints_of_a_subset_have_the_metadata_that_the_route_asks_for():
    balancer = make()
    assert hosts(balancer, version="v1") == {V1.host, V1_CANARY.host}
    assert hosts(balancer, version="v1", canary=True) == {V1_CANARY.host}
    assert hosts(balancer, canary=False, version="v2") == {V2.host}
    assert balancer.active_subsets == 5


@pytest.mark.parametrize("metadata", [{"version": "v3"}, {"canary": True}, {}, {"version": "v1", "canary": 1}])
def test_without_a_fallback_nobody_serves_what_no_subset_fits(metadata):
    assert hosts(make(), **metadata) == {None}


def test_the_fallback_may_be_any_endpoint_or_a_default_subset():
    assert hosts(make(fallback="ANY_ENDPOINT"), version="v3") == ALL
    default = make(fallback="DEFAULT_SUBSET", default_subset={"version": "v2"})
    assert hosts(default, version="v3") == hosts(default) == {V2.host}
    assert default.stats["lb_subsets_fallback"] == 40


def test_a_selectors_own_fallback_goes_before_the_clusters():
    balancer = make(
        SubsetSelector(("version",), "NO_FALLBACK"),
        SubsetSelector(("canary",), "DEFAULT_SUBSET"),
        SubsetSelector(("canary", "version"), "KEYS_SUBSET", ("version",)),
        fallback="ANY_ENDPOINT",
        default_subset={"version": "v2"},
    )
    assert hosts(balancer, version="v3") == {None}
    assert hosts(balancer, canary="maybe") == {V2.host}
    assert hosts(balancer, canary="maybe", version="v1") == {V1.host, V1_CANARY.host}
    assert hosts(balancer, stage="x") == ALL


def test_a_subset_whose_endpoints_are_all_unhealthy_does_not_fall_back():
    sick = EndpointConfig("10.0.0.9", 80, lb_metadata={"version": "v9"}, is_healthy=False)
    assert hosts(make(members=(V1, sick), fallback="ANY_ENDPOINT"), version="v9") == {None}


def test_in_panic_mode_any_endpoint_serves_where_the_fallback_has_nobody():
    balancer = make(fallback="DEFAULT_SUBSET", default_subset={"version": "v9"}, is_panic_mode_any=True)
    assert hosts(balancer, version="v3") == ALL


def test_a_list_stands_for_each_of_its_members_where_the_cluster_says_so():
    both = EndpointConfig("10.0.0.9", 80, lb_metadata={"version": ["v8", "v9"]})
    assert hosts(make(members=(both,), is_list_as_any=True), version="v9") == {both.host}
    assert hosts(make(members=(both,)), version="v9") == {None}
    assert hosts(make(members=(both,)), version=["v8", "v9"]) == {both.host}


def test_a_subset_comes_and_goes_with_its_endpoints():
    balancer = make(members=(V1,), fallback="ANY_ENDPOINT")
    balancer.update([Endpoint(V2)])
    assert hosts(balancer, version="v2") == {V2.host}
    assert hosts(balancer, version="v1") == {V2.host}
    assert balancer.active_subsets == 2


def test_a_change_of_health_is_obeyed_in_every_subset():
    balancer = make()
    first = balancer.choose(Context(version="v1"))
    first.set_ejected(True)
    balancer.refresh()
    assert first.host not in hosts(balancer, version="v1")
