from collections import Counter

import pytest

from pymesh.proxy.matchers.path_matcher import PathMatcher
from pymesh.proxy.routing.hash_policy import HashPolicy
from pymesh.proxy.routing.path_rewrite import PrefixRewrite, RegexRewrite
from pymesh.proxy.routing.route import ClusterAction, Mirror, Route, RouteMatcher, WeightedCluster


def test_clusters_are_chosen_by_weight():
    action = ClusterAction((WeightedCluster("v1", 80), WeightedCluster("none", 0), WeightedCluster("v2", 20)))
    chosen = Counter(action.choose_cluster(i / 1000).name for i in range(1000))
    assert chosen == {"v1": 800, "v2": 200}


def test_one_cluster_is_always_chosen():
    assert ClusterAction((WeightedCluster("v1"),)).choose_cluster(0.999999).name == "v1"


def test_a_mirror_takes_its_share():
    assert [Mirror("v2", 25.0).is_chosen(value) for value in (0.0, 0.2499, 0.25, 0.99)] == [True, True, False, False]
    assert not Mirror("v2", 0.0).is_chosen(0.0)


@pytest.mark.parametrize(
    ("rewrite", "path", "expected"),
    [
        (None, b"/a?b", b"/a?b"),
        (PrefixRewrite(3, b"/"), b"/v1/a?b", b"//a?b"),
        (PrefixRewrite(4, b"/"), b"/v1/a?b=/v1/", b"/a?b=/v1/"),
        (PrefixRewrite(None, b"/new"), b"/old/path?b", b"/new?b"),
        (RegexRewrite("^/v([0-9])/", r"/version-\1/"), b"/v1/a?/v2/", b"/version-1/a?/v2/"),
    ],
)
def test_the_path_is_rewritten_and_its_query_stays(rewrite, path, expected):
    assert ClusterAction((WeightedCluster("a"),), path_rewrite=rewrite).rewrite_path(path) == expected


def test_equal_routes_are_equal():
    def route():
        action = ClusterAction((WeightedCluster("a", 1), WeightedCluster("b", 2)), path_rewrite=RegexRewrite("a", "b"))
        return Route("r", RouteMatcher(PathMatcher("prefix", "/")), action)

    assert route() == route()


COOKIE = HashPolicy("cookie", b"session", ttl=60.0, path="/", attributes=(("SameSite", "Lax"),))


@pytest.mark.parametrize(
    ("policy", "request_fields"),
    [
        (HashPolicy("header", b"x-user"), {"headers": {"x-user": "anna"}}),
        (HashPolicy("cookie", b"session"), {"headers": {"cookie": "a=b; session=anna"}}),
        (HashPolicy("query_parameter", b"user"), {"path": b"/?user=anna"}),
    ],
)
def test_a_request_is_hashed_by_the_part_that_its_policy_names(make_request, policy, request_fields):
    action = ClusterAction((WeightedCluster("a"),), hash_policies=(policy,))
    first = action.hash(make_request(**request_fields))
    assert first is not None
    assert first == action.hash(make_request(**request_fields, remote_address="10.9.9.9:9"))
    assert action.hash(make_request()) is None


def test_the_source_ip_is_hashed_without_its_port(make_request):
    action = ClusterAction((WeightedCluster("a"),), hash_policies=(HashPolicy("connection_properties"),))
    hashes = [action.hash(make_request(remote_address=a)) for a in ("10.0.0.1:1", "10.0.0.1:2", "10.0.0.2:1")]
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_cookie_with_a_ttl_is_made_and_hashes_the_same_when_it_comes_back(make_request):
    action = ClusterAction((WeightedCluster("a"),), hash_policies=(COOKIE,))
    first = make_request()
    (cookie,) = action.generated_cookies(first)
    value = cookie.split(b'"')[1].decode()
    assert cookie == f'session="{value}"; Max-Age=60; Path=/; SameSite=Lax; HttpOnly'.encode()
    again = make_request(headers={"cookie": f"session={value}"}, remote_address="10.9.9.9:9")
    assert action.hash(again) == action.hash(first)
    assert action.generated_cookies(again) == ()


def test_a_terminal_policy_ends_the_list_only_when_it_found_something(make_request):
    policies = (HashPolicy("header", b"x-user", terminal=True), HashPolicy("header", b"x-other"))
    action = ClusterAction((WeightedCluster("a"),), hash_policies=policies)
    both = action.hash(make_request(headers={"x-user": "1", "x-other": "2"}))
    assert both == action.hash(make_request(headers={"x-user": "1", "x-other": "3"}))
    other = action.hash(make_request(headers={"x-other": "2"}))
    assert other is not None
    assert other != action.hash(make_request(headers={"x-other": "3"}))


def test_two_equal_parts_do_not_cancel_each_other_out(make_request):
    policies = (HashPolicy("header", b"a"), HashPolicy("header", b"b"))
    action = ClusterAction((WeightedCluster("a"),), hash_policies=policies)
    assert action.hash(make_request(headers={"a": "1", "b": "1"})) != action.hash(
        make_request(headers={"a": "2", "b": "2"})
    )
