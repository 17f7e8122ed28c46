"""An endpoint: one address of a cluster, what is known of it, and what the data path counts on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from pymesh.proxy.telemetry.workload import UNKNOWN_WORKLOAD, Workload
from pymesh.proxy.tls.contexts import ClientTls
from pymesh.xds import Address


class Locality(NamedTuple):
    region: str = ""
    zone: str = ""
    sub_zone: str = ""


NO_LOCALITY: Final = Locality()


class HealthCheckAddress(NamedTuple):
    """Endpoint.health_check_config; what is empty is the endpoint's own."""

    host: str = ""
    port: int = 0
    hostname: str = ""
    is_disabled: bool = False


SAME_ADDRESS: Final = HealthCheckAddress()


@dataclass(frozen=True, slots=True)
class EndpointConfig:
    """LbEndpoint. `host` is an IP address, or in a DNS cluster a name; `hostname` is the name behind an address.

    `transport_socket_match` is the metadata by which the cluster's transport_socket_matches choose.
    """

    host: str
    port: int
    hostname: str = ""
    workload: Workload = UNKNOWN_WORKLOAD
    weight: int = 1
    priority: int = 0
    locality: Locality = NO_LOCALITY
    locality_weight: int = 0  # 0: its locality has none
    is_healthy: bool = True  # False for UNHEALTHY, DRAINING and TIMEOUT
    is_degraded: bool = False
    transport_socket_match: Mapping[str, Any] = field(default_factory=dict)
    lb_metadata: Mapping[str, Any] = field(default_factory=dict)  # `envoy.lb`: what subsets are made of
    health_check: HealthCheckAddress = SAME_ADDRESS


@dataclass(frozen=True, slots=True)
class ClusterLoadAssignment:
    """EDS resource, or the inline assignment of a cluster."""

    cluster_name: str
    endpoints: tuple[EndpointConfig, ...] = ()
    overprovisioning_factor: int = 140  # percent
    weighted_priority_health: bool = False


class Pool(Protocol):
    """What an endpoint asks of its connection pool."""

    @property
    def connection_count(self) -> int:
        """Open connections, and those on the way."""

    @property
    def request_count(self) -> int:
        """All so far."""

    def drain(self) -> None:
        """The endpoint has left: close idle connections, let those in use finish, open no more."""


class Endpoint:
    """One per address, and the same object as long as the address stays in the cluster.

    `active_requests` and the pools belong to the router and the pools. `is_healthy` says whether EDS, outlier detection
    and active health checks let it be chosen; `is_degraded`, that it should be chosen only for want of better ones;
    `is_excluded`, that it does not count, as it waits for its first health check.
    """

    __slots__ = (
        "active_requests",
        "address",
        "check_status",
        "config",
        "hash_key",
        "healthy_since",
        "high_priority_pool",
        "host",
        "hostname",
        "is_check_degraded",
        "is_degraded",
        "is_ejected",
        "is_excluded",
        "is_failing",
        "is_healthy",
        "is_mtls",
        "outlier_monitor",
        "pool",
        "port",
        "rq_error",
        "rq_total",
        "tls",
        "weight",
        "workload",
    )

    def __init__(self, config: EndpointConfig, tls: ClientTls | None = None) -> None:
        self.host = config.host
        self.port = config.port
        self.address = str(Address(config.host, config.port))
        # for the data path
        self.active_requests = 0
        self.pool: Pool | None = None
        self.high_priority_pool: Pool | None = None
        self.tls = tls
        self.is_mtls = tls is not None and tls.config.common.is_mesh
        # health
        self.is_ejected = False
        self.is_failing = False  # by active health checks
        self.is_check_degraded = False
        self.is_excluded = False
        self.check_status = ""  # what the last health check found
        self.healthy_since: float | None = None  # by the clock's time, for slow start
        self.outlier_monitor: Any = None  # OutlierMonitor
        # counters
        self.rq_total = 0  # TCP connections, and requests of pools that are gone; pools count their own
        self.rq_error = 0
        self.apply(config)

    def apply(self, config: EndpointConfig) -> None:
        """What EDS says now; connections, counters, ejection and the verdict of health checks stay."""
        self.config = config
        self.hostname = config.hostname
        self.workload = config.workload
        self.weight = config.weight
        key = config.lb_metadata.get("hash_key")
        self.hash_key = key if isinstance(key, str) else ""
        self._judge()

    def set_ejected(self, is_ejected: bool) -> None:
        """Outlier detection's verdict. Whoever calls it has the load balancers updated."""
        was_healthy, self.is_ejected = self.is_healthy, is_ejected
        self._judge()
        if was_healthy and is_ejected:
            self.retire_pools()

    def set_checked(self, is_failing: bool, is_degraded: bool = False, is_excluded: bool = False) -> None:
        """The health checks' verdict. Whoever calls it has the load balancers updated."""
        was_healthy, self.is_failing = self.is_healthy, is_failing
        self.is_check_degraded = is_degraded
        self.is_excluded = is_excluded
        self._judge()
        if was_healthy and is_failing:
            self.retire_pools()

    def _judge(self) -> None:
        self.is_healthy = self.config.is_healthy and not self.is_ejected and not self.is_failing
        self.is_degraded = self.config.is_degraded or self.is_check_degraded

    def retire_pools(self) -> None:
        """New connections from now on; what is in flight finishes. Envoy: who has become sick is spoken to over new
        ones, in case it was the old ones that were sick."""
        for pool in self.pools:
            self.rq_total += pool.request_count
            pool.drain()
        self.pool = self.high_priority_pool = None

    @property
    def health_flags(self) -> str:
        """Envoy's /clusters: why it is not healthy."""
        flags = (
            ("/failed_active_hc", self.is_failing),
            ("/failed_outlier_check", self.is_ejected),
            ("/failed_eds_health", not self.config.is_healthy),
            ("/degraded_active_hc", self.is_check_degraded),
            ("/degraded_eds_health", self.config.is_degraded),
            ("/pending_active_hc", self.is_excluded),
        )
        return "".join(flag for flag, is_set in flags if is_set) or "healthy"

    def drain(self) -> None:
        """It has left its cluster."""
        for pool in self.pools:
            pool.drain()

    @property
    def pools(self) -> list[Pool]:
        """Of all priorities of routes."""
        return [pool for pool in (self.pool, self.high_priority_pool) if pool is not None]

    def __repr__(self) -> str:
        return f"<Endpoint {self.address} {self.health_flags} active={self.active_requests}>"
