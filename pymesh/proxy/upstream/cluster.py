"""A cluster: a named set of endpoints with one policy for load balancing, health, limits and TLS."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict
from random import random
from typing import Any

from pymesh.proxy.timers import Clock
from pymesh.proxy.tls.contexts import ClientTls
from pymesh.proxy.tls.secrets import SecretStore
from pymesh.proxy.upstream.circuit_breaker import BuildBreakers, build_own_breakers
from pymesh.proxy.upstream.cluster_config import DYNAMIC_FORWARD_PROXY, EDS, LOGICAL_DNS, ClusterConfig
from pymesh.proxy.upstream.cluster_health import ClusterHealth
from pymesh.proxy.upstream.cluster_stats import ClusterStats
from pymesh.proxy.upstream.cluster_status import describe_breakers, describe_endpoint, describe_limits
from pymesh.proxy.upstream.dns import Resolver, SystemResolver
from pymesh.proxy.upstream.dns_endpoints import DnsEndpoints
from pymesh.proxy.upstream.dynamic_forward_proxy import DynamicEndpoints
from pymesh.proxy.upstream.endpoint import ClusterLoadAssignment, Endpoint, EndpointConfig
from pymesh.proxy.upstream.endpoint_set import EndpointSet
from pymesh.proxy.upstream.health_check import HealthCheckConfig, HealthMonitor
from pymesh.proxy.upstream.lb_policy import build_load_balancer
from pymesh.proxy.upstream.load_balancer import LoadBalancer, LoadBalancerContext, RandomValue
from pymesh.proxy.upstream.priority_set import PriorityPolicy, PrioritySet
from pymesh.proxy.upstream.subset_balancer import SubsetBalancer
from pymesh.proxy.upstream.transport_socket_matcher import TransportSocketMatcher
from pymesh.tasks import TaskGroup

# What makes a cluster's health checker: health_checker, which knows transports, which know clusters.
HealthMonitorFactory = Callable[["Cluster", HealthCheckConfig], HealthMonitor]


def no_health_checker(cluster: "Cluster", config: HealthCheckConfig) -> HealthMonitor:
    raise NotImplementedError("a cluster with health checks needs something to make them")


class Cluster:
    """The live cluster. It stays the same object while its name stays; what is read here is always current."""

    def __init__(
        self,
        config: ClusterConfig,
        secrets: SecretStore,
        *,
        clock: Clock,
        tasks: TaskGroup | None = None,
        resolver: Resolver | None = None,
        random_value: RandomValue = random,
        build_health_checker: HealthMonitorFactory = no_health_checker,
        build_breakers: BuildBreakers = build_own_breakers,
    ) -> None:
        self.circuit_breakers = build_breakers(config.name, config.circuit_breakers, False)
        self.high_priority_breakers = build_breakers(config.name, config.high_priority_breakers, True)
        self.stats = ClusterStats()
        self.is_dynamic_forward_proxy = config.type == DYNAMIC_FORWARD_PROXY
        self._transport_sockets = TransportSocketMatcher(config.transport_sockets, "", secrets)
        self._clock = clock
        self._tasks = tasks or TaskGroup()
        self._resolver = resolver or SystemResolver()
        self._random = random_value
        self._configs: list[EndpointConfig] = []
        self._dns: DnsEndpoints | None = None
        self._dynamic: DynamicEndpoints | None = None
        self._endpoints = EndpointSet(self._transport_sockets.select)
        self._policy = PriorityPolicy()
        self.config = config
        self._take(config)
        self._chooser = self._build_chooser()
        # None where no endpoint may serve it: UH. Never one of `context.tried` while there is another.
        self.choose_endpoint: Callable[[LoadBalancerContext], Endpoint | None] = self._chooser.choose
        self.health = ClusterHealth(
            lambda: self.endpoints, self._refresh, lambda check: build_health_checker(self, check), clock, random_value
        )
        self._apply_health(config)
        self._apply_source()

    def __repr__(self) -> str:
        return f"<Cluster {self.name} {self.config.type} endpoints={len(self.endpoints)}>"

    @property
    def endpoints(self) -> list[Endpoint]:
        return self._endpoints.endpoints if self._dynamic is None else self._dynamic.endpoints

    @property
    def first_lookups(self) -> Sequence[asyncio.Task[None]]:
        """Of its names; before they are done there may be no endpoint."""
        return self._dns.first_lookups if self._dns is not None else ()

    # the data path

    def _choose_dynamically(self, context: LoadBalancerContext) -> Endpoint | None:
        assert self._dynamic is not None
        is_dynamic = self.is_dynamic_forward_proxy
        return self._dynamic.choose(context.authority if is_dynamic else context.original_destination().encode())

    def resolve(self, authority: bytes, callback: Callable[[str | None], None]) -> bool:
        """Dynamic forward proxy only. True: the answer is there, go on, `callback` is not called. False: `callback`
        comes later, once, with None or the failure's text; `choose_endpoint` then knows."""
        return self._dynamic is None or not self.is_dynamic_forward_proxy or self._dynamic.resolve(authority, callback)

    def tls_for(self, endpoint: Endpoint) -> ClientTls | None:
        """None: plaintext."""
        return endpoint.tls

    def on_result(self, endpoint: Endpoint, code: int | None, failure: str | None) -> None:
        """The end of a try: an HTTP status, or None and the failure's text (connect failure, reset, timeout); None and
        None is a TCP connection that was established."""
        if failure is not None or (code is not None and code >= 500):
            endpoint.rq_error += 1
        if self._detector is not None:
            self._detector.on_result(endpoint, code, failure)

    # changes

    def apply(self, config: ClusterConfig) -> None:
        """Take another config of the same type: endpoints that stay keep their connections and counters, unless what is
        spoken to them has changed."""
        before, self.config = self.config, config
        self._take(config)
        self.circuit_breakers.apply(config.circuit_breakers)
        self.high_priority_breakers.apply(config.high_priority_breakers)
        if (config.protocol, config.http2) != (before.protocol, before.http2):
            for endpoint in self.endpoints:
                endpoint.retire_pools()
        if config.load_balancer != before.load_balancer:
            self._chooser = self._build_chooser()
            self._update_chooser()
            if self._dynamic is None:
                self.choose_endpoint = self._chooser.choose
        self._apply_health(config)
        sources = [(c.load_assignment, c.dns, c.dns_cache) for c in (before, config)]
        is_dynamic_changed = self._dynamic is not None and config.transport_sockets != before.transport_sockets
        if (sources[0] != sources[1] and config.type != EDS) or is_dynamic_changed:
            self._apply_source()
        else:
            self._set_configs(self._configs)

    def apply_endpoints(self, assignment: ClusterLoadAssignment) -> None:
        """Of EDS."""
        self._take_assignment(assignment)
        self._set_configs(list(assignment.endpoints))

    def close(self) -> None:
        """Stop timers and DNS, drain all pools."""
        if self._dns is not None:
            self._dns.close()
        if self._dynamic is not None:
            self._dynamic.drain()
        self.health.close()
        self._set_configs([])

    def on_health_check(self, endpoint: Endpoint, has_passed: bool, has_changed: bool) -> None:
        """The health checker's. The verdict stands in the endpoint already."""
        self.health.on_health_check(endpoint, has_passed, has_changed)
        if endpoint.is_failing and endpoint.config not in self._configs:
            self._set_configs(self._configs)  # it was kept for its health alone

    def _apply_health(self, config: ClusterConfig) -> None:
        self.health.apply(config)
        self._detector = self.health.detector

    def _take(self, config: ClusterConfig) -> None:
        self.name = config.name
        self.service = config.service
        self.connect_timeout = config.connect_timeout
        self.idle_timeout = config.idle_timeout
        self.max_requests_per_connection = config.max_requests_per_connection
        self.max_connection_duration = config.max_connection_duration
        self.protocol = config.protocol
        self._take_balancing(config)
        self._transport_sockets.config = config.transport_sockets
        self._transport_sockets.service_host = config.service.host if config.service else ""

    def _take_balancing(self, config: ClusterConfig) -> None:
        policy, balancer = self._policy, config.load_balancer
        policy.panic_threshold = config.panic_threshold
        policy.fail_traffic_on_panic = balancer.fail_traffic_on_panic
        policy.has_locality_weights = balancer.has_locality_weights
        policy.follows_hash = balancer.follows_hash

    def _take_assignment(self, assignment: ClusterLoadAssignment) -> None:
        self._policy.overprovisioning = assignment.overprovisioning_factor
        self._policy.weighted_priority_health = assignment.weighted_priority_health

    def _set_configs(self, configs: list[EndpointConfig]) -> None:
        self._configs = configs
        came, left = self._endpoints.update([*configs, *self.health.kept(configs)])
        self.health.on_members(came)
        self._update_chooser()
        for endpoint in left:
            endpoint.drain()
        self._transport_sockets.forget_unused(self.endpoints)
        self.health.check_members()

    def _update_chooser(self) -> None:
        endpoints = self._endpoints.endpoints
        self._note_health(endpoints)
        self._chooser.update(endpoints)

    def _refresh(self) -> None:
        """An endpoint's health has changed."""
        self._note_health(self._endpoints.endpoints)
        self._chooser.refresh()

    def _note_health(self, endpoints: list[Endpoint]) -> None:
        """Slow start begins when an endpoint is first found healthy."""
        for endpoint in endpoints:
            if endpoint.healthy_since is None and endpoint.is_healthy:
                endpoint.healthy_since = self._clock.time()

    def _build_chooser(self) -> PrioritySet | SubsetBalancer:
        subsets = self.config.load_balancer.subsets
        return self._build_set() if subsets is None else SubsetBalancer(subsets, self._build_set)

    def _build_set(self) -> PrioritySet:
        return PrioritySet(self._policy, self._build_balancer, self._random)

    def _build_balancer(self) -> LoadBalancer:
        return build_load_balancer(self.config.load_balancer, self._random, self._clock.time)

    # where endpoints come from

    def _apply_source(self) -> None:
        config = self.config
        assignment = config.load_assignment or ClusterLoadAssignment(config.name)
        if self._dns is not None:
            self._dns.close()
        if self._dynamic is not None:
            self._dynamic.drain()
        match config.type:
            case "STATIC":
                self.apply_endpoints(assignment)
            case "STRICT_DNS" | "LOGICAL_DNS":
                self._dns = self._resolve_endpoints(assignment)
            case "DYNAMIC_FORWARD_PROXY" | "ORIGINAL_DST":
                self._dynamic = DynamicEndpoints(
                    config.name,
                    config.dns_cache,
                    self._transport_sockets,
                    resolver=self._resolver,
                    tasks=self._tasks,
                    clock=self._clock,
                )
                self.choose_endpoint = self._choose_dynamically

    def _resolve_endpoints(self, assignment: ClusterLoadAssignment) -> DnsEndpoints:
        self._take_assignment(assignment)
        return DnsEndpoints(
            self.config.name,
            assignment.endpoints,
            self.config.dns,
            is_logical=self.config.type == LOGICAL_DNS,
            resolver=self._resolver,
            tasks=self._tasks,
            clock=self._clock,
            random_value=self._random,
            publish=self._set_configs,
        )

    # the admin page

    @property
    def _subset_stats(self) -> dict[str, int]:
        return self._chooser.stats if isinstance(self._chooser, SubsetBalancer) else {}

    def describe(self) -> dict[str, Any]:
        """For /clusters."""
        return {
            "name": self.name,
            "type": self.config.type,
            "service": self.service.host if self.service else "",
            "lb_policy": self.config.load_balancer.policy,
            "circuit_breakers": describe_breakers(self.circuit_breakers),
            "high_priority_circuit_breakers": describe_breakers(self.high_priority_breakers),
            "default_priority": describe_limits(self.circuit_breakers),
            "high_priority": describe_limits(self.high_priority_breakers),
            "stats": asdict(self.stats) | self._subset_stats,
            "is_panicking": self._chooser.is_panicking,
            **self.health.describe(),
            "endpoints": [describe_endpoint(endpoint) for endpoint in self.endpoints],
        }
