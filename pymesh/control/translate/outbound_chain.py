"""OutboundChain: a filter chain of an outbound listener, as long as it may still be merged with others."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from pymesh.control.translate.config_source import cidr_range

# What the http_inspector calls plaintext HTTP.
HTTP_PROTOCOLS = ("http/1.0", "http/1.1", "h2c")

_ANY_NETWORKS = ("0.0.0.0", "::")


class _Criteria(NamedTuple):
    """Two chains with the same criteria cannot stand in one listener."""

    subnets: frozenset[str]
    server_names: frozenset[str]
    is_http_only: bool


@dataclass(frozen=True, slots=True, eq=False)
class OutboundChain:
    """What is empty matches everything, and so does the server name `*`. `is_http_only`: takes what is found to be
    plaintext HTTP. `metadata`: of the rule that made it, if one did."""

    terminal: dict[str, Any]
    server_names: tuple[str, ...] = ()
    subnets: tuple[str, ...] = ()
    is_http_only: bool = False
    metadata: dict[str, Any] | None = None

    @property
    def matches_all(self) -> bool:
        return not (self._names or self.subnets or self.is_http_only)

    @property
    def needs_server_name(self) -> bool:
        return bool(self._names)

    def build(self) -> dict[str, Any]:
        match: dict[str, Any] = {}
        ranges = [cidr_range(item) for item in sorted(self.subnets)]
        ranges = [item for item in ranges if item["address_prefix"] not in _ANY_NETWORKS]
        if ranges:
            match["prefix_ranges"] = ranges
        if self._names:
            match["server_names"] = sorted(self._names)
        if self.is_http_only:
            match |= {"transport_protocol": "raw_buffer", "application_protocols": list(HTTP_PROTOCOLS)}
        chain: dict[str, Any] = {"filter_chain_match": match} if match else {}
        if self.metadata is not None:
            chain["metadata"] = self.metadata
        return chain | {"filters": [self.terminal]}

    @property
    def criteria(self) -> _Criteria:
        networks = (str(ipaddress.ip_network(item, strict=False)) for item in self.subnets)
        subnets = frozenset(item for item in networks if item.partition("/")[0] not in _ANY_NETWORKS)
        return _Criteria(subnets, frozenset(self._names), self.is_http_only)

    def without(self, names: frozenset[str]) -> "OutboundChain | None":
        """What is left of it once others have taken `names`."""
        left = tuple(name for name in self._names if name not in names)
        return replace(self, server_names=left) if left else None

    @property
    def _names(self) -> tuple[str, ...]:
        return () if "*" in self.server_names else self.server_names


def merge_chains(present: list[OutboundChain], more: Iterable[OutboundChain]) -> list[OutboundChain]:
    """The first chain of a match keeps it. Istio: mergeTCPFilterChains in pilot/pkg/networking/core/listener.go.

    Of server names that several chains share, Envoy would refuse the listener: there, too, the first chain has them.
    """
    merged = list(present)
    for chain in more:
        left = _unmatched(chain, merged)
        if left is not None:
            merged.append(left)
    return merged


def _unmatched(chain: OutboundChain, present: list[OutboundChain]) -> OutboundChain | None:
    wanted = chain.criteria
    same = [other for other in map(_criteria, present) if other._replace(server_names=wanted.server_names) == wanted]
    if not wanted.server_names:
        return None if any(not other.server_names for other in same) else chain
    taken = frozenset(name for other in same for name in other.server_names)
    return chain.without(taken) if taken & wanted.server_names else chain


def _criteria(chain: OutboundChain) -> _Criteria:
    return chain.criteria
