"""The endpoints of a cluster whose endpoints are names: each name is asked for again and again, by itself.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/service_discovery#strict-dns
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from pymesh.backoff import exponential_backoff
from pymesh.proxy.timers import Clock
from pymesh.proxy.upstream.dns import DnsConfig, FailureRefresh, Resolver, is_address
from pymesh.proxy.upstream.endpoint import EndpointConfig
from pymesh.tasks import TaskGroup

log = logging.getLogger(__name__)

# While a name has never been resolved, it is tried again sooner than an answer is refreshed.
_FIRST_FAILURE_REFRESH = 2.0


class DnsEndpoints:
    """`publish` gets the endpoints that are, whenever they have changed, and first when a name has been asked for.

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
        random_value: Callable[[], float],
        publish: Callable[[list[EndpointConfig]], None],
    ) -> None:
        self.name = name
        self.dns = dns
        self.is_logical = is_logical
        self.resolver = resolver
        self.tasks = tasks
        self.clock = clock
        self.random = random_value
        self._configs = configs
        self._publish = publish
        self._published: list[EndpointConfig] | None = None
        self._names = {config.host: _Name(self, config.host) for config in configs if not is_address(config.host)}
        self.first_lookups = [dns_name.ask() for dns_name in self._names.values()]
        if not self._names:
            self.on_answer()

    def close(self) -> None:
        for dns_name in self._names.values():
            dns_name.close()

    def on_answer(self) -> None:
        """A name has been asked for."""
        found = [endpoint for config in self._configs for endpoint in self._expand(config)]
        if found != self._published:
            self._published = found
            self._publish(found)

    def _expand(self, config: EndpointConfig) -> list[EndpointConfig]:
        if is_address(config.host):
            return [config]
        hostname = config.hostname or config.host
        answer = self._names[config.host].answer
        return [replace(config, host=address, hostname=hostname) for address in answer]


class _Name:
    """One name of a cluster: its last good answer, and when it is asked for again."""

    def __init__(self, owner: DnsEndpoints, host: str) -> None:
        self.answer: tuple[str, ...] = ()
        self._owner = owner
        self._host = host
        self._delays: Iterator[float] | None = None  # while it fails
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def ask(self) -> asyncio.Task[None]:
        self._task = self._owner.tasks.spawn(f"dns {self._owner.name}", self._ask())
        return self._task

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    async def _ask(self) -> None:
        owner = self._owner
        try:
            answer = await owner.resolver.resolve(self._host, owner.dns.lookup_family)
        except OSError as error:
            delay = self._on_failure(error)
        else:
            self._delays = None
            self.answer = self._stable(answer) if owner.is_logical else answer
            delay = owner.dns.refresh_rate + owner.dns.jitter * owner.random()
        self._timer = owner.clock.call_at(owner.clock.time() + delay, self.ask)
        owner.on_answer()

    def _on_failure(self, error: OSError) -> float:
        """Seconds until the next question."""
        owner = self._owner
        kept = "the last answer is kept" if self.answer else "there is none yet"
        log.warning("cluster %s: no address of %s, %s: %s", owner.name, self._host, kept, error)
        failure: FailureRefresh | None = owner.dns.failure_refresh
        if failure is not None:
            if self._delays is None:
                self._delays = exponential_backoff(failure.base, failure.maximum, owner.random)
            return next(self._delays)
        return owner.dns.refresh_rate if self.answer else min(_FIRST_FAILURE_REFRESH, owner.dns.refresh_rate)

    def _stable(self, answer: tuple[str, ...]) -> tuple[str, ...]:
        return self.answer if self.answer and self.answer[0] in answer else answer[:1]
