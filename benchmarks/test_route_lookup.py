"""What it costs to find a route: with one of them, and with ten thousand in a thousand virtual hosts.

`pytest benchmarks/test_route_lookup.py`; the second figure is to be no more than 1.1 times the first.
"""

import timeit
from collections.abc import Callable

import pytest

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.matchers.path_matcher import PathMatcher
from pymesh.proxy.routing.route import (
    ClusterAction,
    Route,
    RouteConfiguration,
    RouteMatch,
    RouteMatcher,
    VirtualHost,
    WeightedCluster,
)
from pymesh.proxy.routing.route_table import RouteTable

HOSTS = 1000
ROUTES_PER_HOST = 10
LIMIT = 1.1


def build_table(hosts: int, routes: int) -> RouteTable:
    """Hosts as a mesh names them; the last route of each is the one for everything else."""
    virtual_hosts = tuple(
        VirtualHost(f"svc-{i}:80", (f"svc-{i}.default.svc.cluster.local",), build_routes(i, routes))
        for i in range(hosts)
    )
    return RouteTable(RouteConfiguration("http_proxy", virtual_hosts))


def build_routes(host: int, count: int) -> tuple[Route, ...]:
    prefixes = [f"/api/v{i}/" for i in range(count - 1)] + ["/"]
    action = ClusterAction((WeightedCluster(f"outbound|80||svc-{host}"),))
    return tuple(Route(prefix, RouteMatcher(PathMatcher("prefix", prefix)), action) for prefix in prefixes)


class Request:
    """Its strings are cut from what the socket brought: new objects, of which no dict has seen the hash."""

    __slots__ = ("authority", "headers", "is_tls", "method", "path", "scheme")

    def __init__(self, head: bytes, path_end: int, headers: HeaderMap) -> None:
        self.authority = head[path_end + 1 :]
        self.path = head[:path_end]
        self.method = b"GET"
        self.scheme = b"http"
        self.headers = headers
        self.is_tls = False


def build_lookup(table: RouteTable, host: int, path: str) -> Callable[[], RouteMatch | None]:
    head, path_end, headers = f"{path} svc-{host}.default.svc.cluster.local".encode(), len(path), HeaderMap()
    route = table.route
    return lambda: route(Request(head, path_end, headers), 0.5)


ONE = build_table(1, 1)
MANY = build_table(HOSTS, ROUTES_PER_HOST)
CASES = {
    "1": build_lookup(ONE, 0, "/cart/items?page=2"),
    "10000, the last": build_lookup(MANY, 777, "/cart/items?page=2"),
    "10000, a prefix": build_lookup(MANY, 777, "/api/v7/items?page=2"),
}


@pytest.mark.parametrize("case", CASES)
def test_route_lookup(benchmark, case):
    assert benchmark(CASES[case]) is not None


def test_ten_thousand_routes_cost_what_one_does():
    """Measured in turns, so that a busy machine is as unfair to each of them."""
    costs = dict.fromkeys(CASES, 1.0)
    for _ in range(40):
        for case, lookup in CASES.items():
            costs[case] = min(costs[case], timeit.timeit(lookup, number=5_000) / 5_000)
    print({case: f"{seconds * 1e9:.0f} ns" for case, seconds in costs.items()})
    assert max(costs.values()) <= LIMIT * costs["1"]
