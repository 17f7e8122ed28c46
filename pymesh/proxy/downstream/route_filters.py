"""Which HTTP filters of a connection manager a route needs: those that would do nothing there are not asked."""

from collections.abc import Callable
from typing import Any

from pymesh.proxy.downstream.context import ProxyContext
from pymesh.proxy.downstream.hcm_config import HttpFilterConfig
from pymesh.proxy.routing.route import RouteMatch
from pymesh.proxy.routing.route_table import RouteTable

Filters = tuple[Any, ...]


class RouteFilters:
    """Chosen when a route is first found. `chosen` is for a quick look before `choose`; None there is no route."""

    __slots__ = ("_filters", "_find_table", "_table", "chosen")

    def __init__(
        self,
        configs: tuple[HttpFilterConfig, ...],
        context: ProxyContext,
        find_table: Callable[[], RouteTable | None],
    ) -> None:
        self.chosen: dict[RouteMatch | None, Filters] = {}
        self._filters = [(item, item.factory.build(item.config, context)) for item in configs]
        self._find_table = find_table
        self._table: RouteTable | None = None

    def choose(self, match: RouteMatch | None) -> Filters:
        """Always the same for the same match, in the order of the configuration."""
        table = self._find_table()
        if table is not self._table:
            self._table = table
            self.chosen.clear()  # nobody finds the routes of another table any more
        route = None if match is None else match.route
        filters = tuple(live for item, live in self._filters if not item.factory.is_idle(item.config, route))
        self.chosen[match] = filters
        return filters
