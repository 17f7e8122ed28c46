"""Names to addresses: the resolver, and the endpoints of a cluster whose endpoints are names.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/service_discovery#strict-dns
"""

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from pymesh.proxy.timers import Clock
from pymesh.proxy.upstream.endpoint import EndpointConfig
from pymesh.tasks import TaskGroup

log = logging.getLogger(__name__)

LOOKUP_FAMILIES = ("AUTO", "V4_ONLY", "V6_ONLY", "V4_PREFERRED", "ALL")

# While a name has never been resolved, it is tried again sooner than an answer is refreshed.
_FAILURE_REFRESH = 2.0


@dataclass(frozen=True, slots=True)
class DnsConfig:
    """`refresh_rate` in seconds; the system's resolver does not tell how long an answer may be used."""

    refresh_rate: float = 5.0
    lookup_family: str = "AUTO"


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


class DnsEndpoints:
    """Resolves the names of an assignment now and every `refresh_rate` seconds; `publish` gets the endpoints that are.

    A name that cannot be resolved keeps its last answer. `is_logical`: one address for a name, and the same one as long
    as the answer has it (LOGICAL_DNS).
    """

    def __init__(
        self,
        name: str,
        configs: Sequence[EndpointConfig],
        dns: DnsConfig,
        *,
        is_logical: bool,
        resolver: Resolver,
        tasks: TaskGroup,
        clock: Clock,
        publish: Callable[[list[EndpointConfig]], None],
    ) -> None:
        self._name = name
        self._configs = configs
        self._dns = dns
        self._is_logical = is_logical
        self._resolver = resolver
        self._tasks = tasks
        self._clock = clock
        self._publish = publish
        self._answers: dict[str, tuple[str, ...]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._start()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _start(self) -> None:
        self._task = self._tasks.spawn(f"dns {self._name}", self._resolve())

    async def _resolve(self) -> None:
        hosts = {config.host for config in self._configs if not is_address(config.host)}
        await asyncio.gather(*(self._resolve_host(host) for host in hosts))
        self._publish([endpoint for config in self._configs for endpoint in self._expand(config)])
        has_all = all(host in self._answers for host in hosts)
        delay = self._dns.refresh_rate if has_all else min(_FAILURE_REFRESH, self._dns.refresh_rate)
        self._timer = self._clock.call_at(self._clock.time() + delay, self._start)

    async def _resolve_host(self, host: str) -> None:
        try:
            answer = await self._resolver.resolve(host, self._dns.lookup_family)
        except OSError as error:
            kept = "the last answer is kept" if host in self._answers else "there is none yet"
            log.warning("cluster %s: no address of %s, %s: %s", self._name, host, kept, error)
            return
        self._answers[host] = self._stable(host, answer) if self._is_logical else answer

    def _stable(self, host: str, answer: tuple[str, ...]) -> tuple[str, ...]:
        current = self._answers.get(host, ())
        return current if current and current[0] in answer else answer[:1]

    def _expand(self, config: EndpointConfig) -> list[EndpointConfig]:
        if is_address(config.host):
            return [config]
        hostname = config.hostname or config.host
        return [replace(config, host=address, hostname=hostname) for address in self._answers.get(config.host, ())]
