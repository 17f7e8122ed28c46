"""A filter that would do nothing on a route is not asked there, and is asked on the route that gives it something."""

from typing import Any

from pymesh.proxy.downstream.hcm_config import HttpFilterConfig
from pymesh.proxy.downstream.route_filters import RouteFilters
from pymesh.proxy.http_filters import cors, dynamic_forward_proxy, fault
from pymesh.proxy.http_filters.fault import FaultConfig
from pymesh.proxy.matchers.path_matcher import PathMatcher
from pymesh.proxy.routing.route import (
    DirectResponseAction,
    Route,
    RouteConfiguration,
    RouteMatcher,
    VirtualHost,
)
from pymesh.proxy.routing.route_table import RouteTable

CONFIGS = (
    HttpFilterConfig(cors.NAME, cors.FACTORY, None),
    HttpFilterConfig(fault.NAME, fault.FACTORY, FaultConfig()),
    HttpFilterConfig(dynamic_forward_proxy.NAME, dynamic_forward_proxy.FACTORY, None),
)


def make_table(**filter_configs: Any) -> RouteTable:
    matcher, action = RouteMatcher(PathMatcher("prefix", "/")), DirectResponseAction(200)
    configs = {{"fault": fault.NAME, "cors": cors.NAME}[name]: value for name, value in filter_configs.items()}
    route = Route("", matcher, action, filter_configs=configs)
    return RouteTable(RouteConfiguration("", (VirtualHost("any", ("*",), (route,)),)))


def names(filters: tuple[Any, ...]) -> list[str]:
    return [type(live).__name__ for live in filters]


async def test_only_filters_with_something_to_do_on_a_route_are_asked(context: Any, make_request: Any) -> None:
    table = make_table(fault=FaultConfig(abort_status=503, abort_percentage=100.0))
    filters = RouteFilters(CONFIGS, context, lambda: table)
    match = table.route(make_request(), 0.5)
    assert names(filters.choose(match)) == ["Fault", "DynamicForwardProxy"]
    assert filters.chosen[match] is filters.chosen[table.route(make_request(), 0.1)]
    assert names(filters.choose(None)) == ["DynamicForwardProxy"]


async def test_a_fault_of_the_listener_holds_on_every_route(context: Any, make_request: Any) -> None:
    config = FaultConfig(delay=1.0, delay_percentage=100.0)
    table = make_table(cors=cors.CorsPolicy())
    filters = RouteFilters((CONFIGS[0], HttpFilterConfig(fault.NAME, fault.FACTORY, config)), context, lambda: table)
    assert names(filters.choose(table.route(make_request(), 0.5))) == ["Cors", "Fault"]
    assert names(filters.choose(None)) == ["Fault"]


async def test_the_routes_of_a_table_that_was_replaced_are_not_kept(context: Any, make_request: Any) -> None:
    tables = [make_table()]
    filters = RouteFilters(CONFIGS, context, lambda: tables[-1])
    filters.choose(tables[0].route(make_request(), 0.5))
    tables.append(make_table())
    match = tables[1].route(make_request(), 0.5)
    filters.choose(match)
    assert list(filters.chosen) == [match]
