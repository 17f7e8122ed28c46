"""Which filter chain a connection gets. Pure.

Envoy decides criterion by criterion, the most specific value first, and never steps back: destination port, destination
address, server name, transport protocol, application protocols.
https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/listener/v3/listener_components.proto (FilterChainMatch)
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from itertools import product
from typing import Generic, NamedTuple, TypeVar

TLS = "tls"
RAW_BUFFER = "raw_buffer"

Network = IPv4Network | IPv6Network

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FilterChainMatch:
    """What is empty matches everything. `prefix_ranges` are of the destination's address. `transport_protocol` is
    tls or raw_buffer. A server name may be `*.example.com`.
    """

    destination_port: int = 0
    server_names: tuple[str, ...] = ()
    transport_protocol: str = ""
    application_protocols: tuple[str, ...] = ()
    prefix_ranges: tuple[Network, ...] = ()

    @property
    def needs_inspection(self) -> bool:
        return bool(self.server_names or self.transport_protocol or self.application_protocols)


ANY_CONNECTION = FilterChainMatch()


class ConnectionTraits(NamedTuple):
    """What is known of a connection before its filter chain is."""

    destination_port: int
    server_name: str = ""
    transport_protocol: str = RAW_BUFFER
    application_protocols: tuple[str, ...] = ()
    destination_address: str = ""


def describe_mismatch(match: FilterChainMatch, traits: ConnectionTraits) -> str:
    """The first criterion that the connection does not meet; empty: it meets all of them."""
    for said, alone in _criteria(match):
        if FilterChainTable([(alone, True)]).find(traits) is None:
            return said
    return ""


def _criteria(match: FilterChainMatch) -> Iterator[tuple[str, FilterChainMatch]]:
    """Each criterion of a match in words, and as a match of its own."""
    yield f"is for port {match.destination_port}", FilterChainMatch(match.destination_port)
    networks = ", ".join(map(str, match.prefix_ranges))
    yield f"is for the destination {networks}", FilterChainMatch(prefix_ranges=match.prefix_ranges)
    names = ", ".join(match.server_names)
    yield f"is for the server name {names}", FilterChainMatch(server_names=match.server_names)
    transport = match.transport_protocol
    yield f"is for {_TRANSPORTS.get(transport)}", FilterChainMatch(transport_protocol=transport)
    protocols = match.application_protocols
    yield f"is for the protocol {', '.join(protocols)}", FilterChainMatch(application_protocols=protocols)


_TRANSPORTS = {TLS: "TLS", RAW_BUFFER: "plaintext"}


class DuplicateMatchError(Exception):
    """Two filter chains for the same connections."""


# One dict a criterion, in Envoy's order; "" and 0 stand for any.
_ByName = dict[str, dict[str, dict[str, T]]]
_ByNetwork = dict[Network | None, _ByName[T]]


class FilterChainTable(Generic[T]):
    """The filter chains of a listener by their match."""

    __slots__ = ("_default", "_networks", "_table")

    def __init__(self, chains: Iterable[tuple[FilterChainMatch, T]], default: T | None = None) -> None:
        """Raises DuplicateMatchError, as Envoy refuses such a listener."""
        self._table: dict[int, _ByNetwork[T]] = {}
        self._default = default
        for match, chain in chains:
            by_network = self._table.setdefault(match.destination_port, {})
            for network in match.prefix_ranges or (None,):
                _insert(by_network.setdefault(network, {}), match, chain)
        # By port, longest prefix first.
        self._networks = {port: _longest_first(table) for port, table in self._table.items()}

    def find(self, traits: ConnectionTraits) -> T | None:
        port = traits.destination_port if traits.destination_port in self._table else 0
        by_name = self._at_address(port, traits.destination_address)
        by_transport = _first(by_name or {}, _candidates(traits.server_name))
        by_protocol = _first(by_transport or {}, (traits.transport_protocol, ""))
        chain = _first(by_protocol or {}, (*traits.application_protocols, ""))
        return chain if chain is not None else self._default

    def _at_address(self, port: int, address: str) -> _ByName[T] | None:
        by_network: _ByNetwork[T] = self._table.get(port, {})
        networks = self._networks.get(port)
        if networks and address:
            found = ip_address(address)
            for network in networks:
                if found in network:
                    return by_network[network]
        return by_network.get(None)


def _insert(by_name: _ByName[T], match: FilterChainMatch, chain: T) -> None:
    for server_name, protocol in product(match.server_names or ("",), match.application_protocols or ("",)):
        by_transport = by_name.setdefault(_suffix(server_name), {})
        by_protocol = by_transport.setdefault(match.transport_protocol, {})
        if protocol in by_protocol:
            raise DuplicateMatchError
        by_protocol[protocol] = chain


def _longest_first(networks: Iterable[Network | None]) -> list[Network]:
    return sorted((item for item in networks if item is not None), key=lambda item: item.prefixlen, reverse=True)


K = TypeVar("K")
V = TypeVar("V")


def _first(table: dict[K, V], keys: Iterable[K]) -> V | None:
    return next((table[key] for key in keys if key in table), None)


def _suffix(server_name: str) -> str:
    """`*.example.com` is kept as `.example.com`."""
    return server_name.lower().removeprefix("*")


def _candidates(server_name: str) -> Iterator[str]:
    """The name itself, then `.b.c` and `.c` of `a.b.c`, then any."""
    if server_name:
        yield server_name
        labels = server_name.split(".")
        for i in range(1, len(labels)):
            yield "." + ".".join(labels[i:])
    yield ""
