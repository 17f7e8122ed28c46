"""Which filter chain a connection gets. Pure.

Envoy decides criterion by criterion, the most specific value first, and never steps back: destination port, server
name, transport protocol, application protocols.
https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/listener/v3/listener_components.proto (FilterChainMatch)
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Generic, NamedTuple, TypeVar

TLS = "tls"
RAW_BUFFER = "raw_buffer"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FilterChainMatch:
    """What is empty matches everything. `transport_protocol` is tls or raw_buffer.

    A server name may be `*.example.com`.
    """

    destination_port: int = 0
    server_names: tuple[str, ...] = ()
    transport_protocol: str = ""
    application_protocols: tuple[str, ...] = ()

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


class DuplicateMatchError(Exception):
    """Two filter chains for the same connections."""


# One dict a criterion, in Envoy's order; "" and 0 stand for any.
_Table = dict[int, dict[str, dict[str, dict[str, T]]]]


class FilterChainTable(Generic[T]):
    """The filter chains of a listener by their match."""

    __slots__ = ("_default", "_table")

    def __init__(self, chains: Iterable[tuple[FilterChainMatch, T]], default: T | None = None) -> None:
        """Raises DuplicateMatchError, as Envoy refuses such a listener."""
        self._table: _Table[T] = {}
        self._default = default
        for match, chain in chains:
            for server_name, protocol in product(match.server_names or ("",), match.application_protocols or ("",)):
                by_name = self._table.setdefault(match.destination_port, {})
                by_transport = by_name.setdefault(_suffix(server_name), {})
                by_protocol = by_transport.setdefault(match.transport_protocol, {})
                if protocol in by_protocol:
                    raise DuplicateMatchError
                by_protocol[protocol] = chain

    def find(self, traits: ConnectionTraits) -> T | None:
        by_name = _first(self._table, (traits.destination_port, 0))
        by_transport = _first(by_name or {}, _candidates(traits.server_name))
        by_protocol = _first(by_transport or {}, (traits.transport_protocol, ""))
        chain = _first(by_protocol or {}, (*traits.application_protocols, ""))
        return chain if chain is not None else self._default


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
