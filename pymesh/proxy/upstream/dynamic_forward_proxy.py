"""Endpoints that a request names itself, by its authority: resolved when first asked for, forgotten when unused.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/http/http_proxy
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from pymesh.proxy.timers import Clock
from pymesh.proxy.upstream.dns import DnsConfig, Resolver, is_address
from pymesh.proxy.upstream.endpoint import Endpoint, EndpointConfig
from pymesh.proxy.upstream.transport_socket_matcher import TransportSocketMatcher
from pymesh.tasks import TaskGroup

log = logging.getLogger(__name__)

# Envoy's response code details of the dynamic_forward_proxy filter.
RESOLUTION_FAILURE = "dns_resolution_failure"
CACHE_OVERFLOW = "dns_cache_overflow"
BAD_AUTHORITY = "dns_bad_authority"

OnResolved = Callable[[str | None], None]


@dataclass(frozen=True, slots=True)
class DnsCacheConfig:
    """DnsCacheConfig of envoy.extensions.common.dynamic_forward_proxy.v3; times in seconds."""

    dns: DnsConfig = DnsConfig(refresh_rate=60.0)  # noqa: RUF009  frozen
    host_ttl: float = 300.0
    max_hosts: int = 1024


DEFAULT_DNS_CACHE: Final = DnsCacheConfig()


class _Host:
    """One authority. `endpoint` is None until the first answer, and `waiting` hear of it."""

    __slots__ = ("config", "endpoint", "resolved_at", "task", "used_at", "waiting")

    def __init__(self, config: EndpointConfig, now: float) -> None:
        self.config = config
        self.endpoint: Endpoint | None = None
        self.resolved_at = now
        self.used_at = now
        self.waiting: list[OnResolved] = []
        self.task: asyncio.Task[None] | None = None


class DynamicEndpoints:
    """At most `max_hosts` authorities; one that nobody asked for in `host_ttl` is dropped and its pool drained."""

    def __init__(
        self,
        name: str,
        config: DnsCacheConfig,
        transport_sockets: TransportSocketMatcher,
        *,
        resolver: Resolver,
        tasks: TaskGroup,
        clock: Clock,
    ) -> None:
        self.config = config
        self.overflow = 0
        self._name = name
        self._transport_sockets = transport_sockets
        self._resolver = resolver
        self._tasks = tasks
        self._clock = clock
        self._hosts: dict[bytes, _Host] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def endpoints(self) -> list[Endpoint]:
        return [host.endpoint for host in self._hosts.values() if host.endpoint is not None]

    def choose(self, authority: bytes) -> Endpoint | None:
        """The endpoint, if `resolve` has found it. An authority that is an address needs no resolving."""
        host = self._hosts.get(authority)
        if host is None and (host := self._add_address(authority)) is None:
            return None
        host.used_at = self._clock.time()
        return host.endpoint

    def resolve(self, authority: bytes, callback: OnResolved) -> bool:
        """See Cluster.resolve."""
        host = self._hosts.get(authority) or self._add_address(authority)
        if host is None:
            host = self._add(authority, callback)
            if host is None:
                return False
        host.used_at = now = self._clock.time()
        if host.endpoint is None:
            host.waiting.append(callback)
        if host.task is None and (host.endpoint is None or now - host.resolved_at >= self.config.dns.refresh_rate):
            host.task = self._tasks.spawn(f"dns {self._name}", self._resolve(authority, host))
        return host.endpoint is not None

    def drain(self) -> None:
        """Forget all; connections in use finish."""
        hosts, self._hosts = self._hosts, {}
        for host in hosts.values():
            self._drop(host)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # entries

    def _add_address(self, authority: bytes) -> _Host | None:
        """An authority that is an address, if there is room."""
        config = parse_authority(authority, self._default_port())
        if config is None or not is_address(config.host) or not self._has_room():
            return None
        host = self._insert(authority, config)
        host.endpoint = Endpoint(config, self._transport_sockets.select(config))
        host.resolved_at = float("inf")
        return host

    def _add(self, authority: bytes, callback: OnResolved) -> _Host | None:
        config = parse_authority(authority, self._default_port())
        if config is None:
            self._call_later(callback, BAD_AUTHORITY)
        elif not self._has_room():
            self.overflow += 1
            self._call_later(callback, CACHE_OVERFLOW)
        else:
            return self._insert(authority, config)
        return None

    def _insert(self, authority: bytes, config: EndpointConfig) -> _Host:
        host = self._hosts[authority] = _Host(config, self._clock.time())
        if self._timer is None:
            self._timer = self._clock.call_at(self._clock.time() + self.config.host_ttl, self._drop_unused)
        return host

    def _has_room(self) -> bool:
        return len(self._hosts) < self.config.max_hosts

    def _drop_unused(self) -> None:
        oldest = self._clock.time() - self.config.host_ttl
        for authority, host in list(self._hosts.items()):
            if host.used_at <= oldest and not host.waiting:
                del self._hosts[authority]
                self._drop(host)
        self._timer = None
        if self._hosts:
            self._timer = self._clock.call_at(self._clock.time() + self.config.host_ttl, self._drop_unused)

    def _drop(self, host: _Host) -> None:
        if host.task is not None:
            host.task.cancel()
        if host.endpoint is not None:
            host.endpoint.drain()
            self._transport_sockets.forget_unused(self.endpoints)
        self._tell(host, RESOLUTION_FAILURE)

    # resolving

    async def _resolve(self, authority: bytes, host: _Host) -> None:
        try:
            answer = await self._resolver.resolve(host.config.host, self.config.dns.lookup_family)
        except OSError as error:
            log.info("cluster %s: no address of %s: %s", self._name, host.config.host, error.strerror or error)
            self._on_failure(authority, host)
        else:
            self._on_answer(host, answer)

    def _on_answer(self, host: _Host, answer: tuple[str, ...]) -> None:
        host.task = None
        host.resolved_at = self._clock.time()
        if host.endpoint is None or host.endpoint.host not in answer:
            config = replace(host.config, host=answer[0], hostname=host.config.host)
            before, host.endpoint = host.endpoint, Endpoint(config, self._transport_sockets.select(config))
            if before is not None:
                before.drain()
        self._tell(host, None)

    def _on_failure(self, authority: bytes, host: _Host) -> None:
        """The last good answer stays. Without one, the next request asks again."""
        host.task = None
        host.resolved_at = self._clock.time()
        if host.endpoint is None and self._hosts.get(authority) is host:
            del self._hosts[authority]
        self._tell(host, RESOLUTION_FAILURE)

    def _tell(self, host: _Host, failure: str | None) -> None:
        waiting, host.waiting = host.waiting, []
        for callback in waiting:
            callback(failure)

    def _call_later(self, callback: OnResolved, failure: str) -> None:
        self._clock.call_at(self._clock.time(), lambda: callback(failure))

    def _default_port(self) -> int:
        return 80 if self._transport_sockets.select(EndpointConfig("", 0)) is None else 443


def parse_authority(authority: bytes, default_port: int) -> EndpointConfig | None:
    """`host[:port]` with IPv6 in brackets; None for anything else."""
    text = authority.decode("latin-1")
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(default_port)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        return None
    if not host or not host.isascii() or not (port.isdecimal() and 0 < int(port) < 65536):
        return None
    return EndpointConfig(host, int(port), hostname=host)
