"""Names to addresses: the resolver, and how often it is asked."""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

LOOKUP_FAMILIES = ("AUTO", "V4_ONLY", "V6_ONLY", "V4_PREFERRED", "ALL")


class FailureRefresh(NamedTuple):
    """Seconds between questions for a name that fails: from about `base` on they grow to `maximum`."""

    base: float
    maximum: float


@dataclass(frozen=True, slots=True)
class DnsConfig:
    """Seconds. The system's resolver does not tell how long an answer may be used, so `refresh_rate` holds; up to
    `jitter` is added to it. Without a `failure_refresh`, a name that fails is asked for as often."""

    refresh_rate: float = 5.0
    lookup_family: str = "AUTO"
    jitter: float = 0.0
    failure_refresh: FailureRefresh | None = None


DEFAULT_DNS: Final = DnsConfig()


class Resolver(Protocol):
    async def resolve(self, host: str, lookup_family: str) -> tuple[str, ...]:
        """Addresses, the preferred first; at least one. Raises OSError."""


class SystemResolver:
    """getaddrinfo in the loop's threads."""

    async def resolve(self, host: str, lookup_family: str) -> tuple[str, ...]:
        family = {"V4_ONLY": socket.AF_INET, "V6_ONLY": socket.AF_INET6}.get(lookup_family, socket.AF_UNSPEC)
        loop = asyncio.get_running_loop()
        answers = await loop.getaddrinfo(host, None, family=family, type=socket.SOCK_STREAM)
        return choose_family([str(answer[4][0]) for answer in answers], lookup_family)


def choose_family(addresses: Iterable[str], lookup_family: str) -> tuple[str, ...]:
    """Envoy's DnsLookupFamily: AUTO is IPv6 and, if there is none, IPv4; V4_PREFERRED the other way; ALL is both."""
    unique = tuple(dict.fromkeys(addresses))
    v4 = tuple(address for address in unique if ":" not in address)
    v6 = tuple(address for address in unique if ":" in address)
    match lookup_family:
        case "AUTO":
            return v6 or v4
        case "V4_PREFERRED":
            return v4 or v6
        case _:
            return unique


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
