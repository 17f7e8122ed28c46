"""Host -> virtual host -> route, compiled from a RouteConfiguration. A lookup is pure; chance is an argument."""

from pymesh.proxy.matchers.compiled import Request
from pymesh.proxy.routing.domain_table import DomainTable
from pymesh.proxy.routing.route import RouteConfiguration, RouteMatch, VirtualHost
from pymesh.proxy.routing.route_index import RouteIndex


class RouteTable:
    """One RouteConfiguration, ready for lookups."""

    __slots__ = ("_domains", "_exact_domains", "config")

    def __init__(self, config: RouteConfiguration) -> None:
        self.config = config
        self._domains = DomainTable[RouteIndex](config.ignore_port_in_host_matching)
        self._exact_domains = self._domains.exact  # by which most are found
        for virtual_host in config.virtual_hosts:
            index = RouteIndex(virtual_host)
            for domain in virtual_host.domains:
                self._domains.add(domain, index)

    def route(self, request: Request, random_value: float) -> RouteMatch | None:
        """The first route, in order, that matches; None is Envoy's NR. `random_value` is in [0, 1)."""
        authority = request.authority
        index = self._exact_domains.get(authority)
        if index is None:
            index = self._domains.find(authority)
        return None if index is None else index.route(request, random_value)

    def virtual_host(self, authority: bytes) -> VirtualHost | None:
        """Where `route` would look; None: no domain is the authority's."""
        index = self._domains.find(authority)
        return None if index is None else index.virtual_host


class RouteTables:
    """The route configurations of RDS by name. The runtime is the only writer."""

    __slots__ = ("_tables",)

    def __init__(self) -> None:
        self._tables: dict[str, RouteTable] = {}

    def apply(self, config: RouteConfiguration) -> None:
        """Requests that come from now on see the new routes; those under way keep what they found."""
        present = self._tables.get(config.name)
        if present is None or present.config != config:
            self._tables[config.name] = RouteTable(config)

    def remove(self, name: str) -> None:
        self._tables.pop(name, None)

    def get(self, name: str) -> RouteTable | None:
        return self._tables.get(name)

    def configs(self) -> list[RouteConfiguration]:
        return [table.config for table in self._tables.values()]
