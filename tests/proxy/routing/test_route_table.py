import random

import pytest

from pymesh.protojson import Reader
from pymesh.proxy.matchers.header_matcher import HeaderMatcher
from pymesh.proxy.matchers.path_matcher import PathMatcher, compile_path_matcher
from pymesh.proxy.matchers.string_matcher import StringMatcher
from pymesh.proxy.routing.redirect import RedirectAction
from pymesh.proxy.routing.route import (
    DirectResponseAction,
    Route,
    RouteConfiguration,
    RouteMatcher,
    VirtualHost,
)
from pymesh.proxy.routing.route_table import RouteTable, RouteTables
from pymesh.proxy.xds.rds import decode_route_configuration

DONE = DirectResponseAction(200)
SAFE_REGEX = {"regex": "/r[0-9]+"}


def table(*matches, **virtual_host):
    """One virtual host whose routes are named by their place."""
    routes = [{"name": str(i), "match": match, "direct_response": {"status": 200}} for i, match in enumerate(matches)]
    host = {"name": "any", "domains": ["*"], "routes": routes, **virtual_host}
    return RouteTable(decode_route_configuration(Reader({"name": "rds", "virtual_hosts": [host]}), {}))


def found(routes, request, random_value=0.5):
    match = routes.route(request, random_value)
    return None if match is None else match.route.name


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"/", "5"),
        (b"/a", "0"),
        (b"/a?x=/b", "0"),
        (b"/a/b", "1"),
        (b"/a/bc", "1"),
        (b"/a/b/c", "1"),
        (b"/ab", "3"),
        (b"/r12", "2"),
        (b"/r12/", "5"),
        (b"/sep", "4"),
        (b"/sep/x", "4"),
        (b"/separate", "5"),
        (b"/last", "5"),
        (b"", None),
    ],
)
def test_the_first_route_that_matches_wins(make_request, path, expected):
    routes = table(
        {"path": "/a"},
        {"prefix": "/a/b"},
        {"safe_regex": SAFE_REGEX},
        {"prefix": "/a"},
        {"path_separated_prefix": "/sep"},
        {"prefix": "/"},
        {"path": "/last"},
    )
    assert found(routes, make_request(path)) == expected


def test_a_condition_that_fails_leads_to_the_next_route(make_request):
    canary = {"prefix": "/", "headers": [{"name": "x-canary", "string_match": {"exact": "yes"}}]}
    searched = {"prefix": "/", "query_parameters": [{"name": "q"}]}
    routes = table(canary, searched, {"prefix": "/"})
    assert found(routes, make_request(headers={"x-canary": "yes"})) == "0"
    assert found(routes, make_request(b"/?q", headers={"x-canary": "no"})) == "1"
    assert found(routes, make_request()) == "2"


def test_all_conditions_of_a_route_must_hold(make_request):
    headers = [{"name": "a", "present_match": True}, {"name": "b", "present_match": True}]
    routes = table({"prefix": "/", "headers": headers})
    assert found(routes, make_request(headers={"a": ""})) is None
    assert found(routes, make_request(headers={"a": "", "b": ""})) == "0"


def test_a_runtime_fraction_takes_its_share(make_request):
    routes = table({"prefix": "/", "runtime_fraction": {"default_value": {"numerator": 25}}}, {"prefix": "/"})
    assert found(routes, make_request(), 0.2499) == "0"
    assert found(routes, make_request(), 0.25) == "1"


def test_connect_is_matched_by_a_connect_matcher_only(make_request):
    routes = table({"prefix": "/"}, {"connect_matcher": {}})
    assert found(routes, make_request(b"", method=b"CONNECT")) == "1"
    assert found(routes, make_request(b"/")) == "0"
    assert found(table({"prefix": "/"}), make_request(b"", method=b"CONNECT")) is None


def test_a_path_without_case_is_found_among_the_others(make_request):
    routes = table({"path": "/A", "case_sensitive": False}, {"prefix": "/"})
    assert found(routes, make_request(b"/a")) == "0"
    assert found(routes, make_request(b"/b")) == "1"


def test_a_virtual_host_that_requires_tls_redirects_plaintext(make_request):
    routes = table({"prefix": "/"}, require_tls="ALL")
    match = routes.route(make_request(b"/a?b"), 0.0)
    assert isinstance(match.route.action, RedirectAction)
    assert match.route.action.location(make_request(b"/a?b")) == b"https://shop/a?b"
    assert found(routes, make_request(is_tls=True)) == "0"
    assert found(routes, make_request(scheme=b"https")) == "0"


def test_no_virtual_host_means_no_route(make_request):
    assert RouteTable(RouteConfiguration("empty")).route(make_request(), 0.0) is None


def test_any_order_of_routes_gives_what_asking_each_in_turn_gives(make_request):
    """The index against the definition: the first route whose path, and whose header, matches."""
    chance = random.Random(7)
    paths = ["/" + "/".join(chance.choices("ab", k=chance.randint(0, 4))) for _ in range(300)]
    kinds = ("prefix", "path", "path_separated_prefix")
    for _ in range(60):
        routes = tuple(_random_route(chance, kinds, i) for i in range(chance.randint(1, 12)))
        compiled = RouteTable(RouteConfiguration("rds", (VirtualHost("any", ("*",), routes),)))
        for path in chance.sample(paths, 40):
            headers = {"x": "1"} if chance.random() < 0.5 else {}
            assert found(compiled, make_request(path.encode(), headers)) == _slowly(routes, path.encode(), headers)


def _random_route(chance, kinds, i):
    value = "/" + "/".join(chance.choices("ab", k=chance.randint(1, 3)))
    headers = (HeaderMatcher("x", StringMatcher("exact", "1")),) if chance.random() < 0.3 else ()
    path = PathMatcher(chance.choice(kinds), value, case_sensitive=chance.random() < 0.8)
    return Route(str(i), RouteMatcher(path, headers), DONE)


def _slowly(routes, path, headers):
    for route in routes:
        if compile_path_matcher(route.match.path)(path) and (not route.match.headers or headers):
            return route.name
    return None


def test_tables_are_swapped_whole_and_kept_when_nothing_changed():
    tables = RouteTables()
    tables.apply(RouteConfiguration("a"))
    first = tables.get("a")
    tables.apply(RouteConfiguration("a"))
    assert tables.get("a") is first
    tables.apply(RouteConfiguration("a", (VirtualHost("h", ("*",)),)))
    assert tables.get("a") is not first
    tables.remove("a")
    tables.remove("a")
    assert tables.get("a") is None
