"""An endpoint: one address of a cluster, what is known of it, and what the data path counts on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from pymesh.proxy.telemetry.workload import UNKNOWN_WORKLOAD, Workload
from pymesh.proxy.tls.contexts import ClientTls


class Locality(NamedTuple):
    region: str = ""
    zone: str = ""
    sub_zone: str = ""


NO_LOCALITY: Final = Locality()


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
    is_healthy: bool = True  # False for UNHEALTHY, DRAINING and TIMEOUT
    transport_socket_match: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClusterLoadAssignment:
    """EDS resource, or the inline assignment of a cluster."""

    cluster_name: str
    endpoints: tuple[EndpointConfig, ...] = ()
    overprovisioning_factor: int = 140  # percent


class Pool(Protocol):
    """What an endpoint asks of its connection pool."""

    def drain(self) -> None:
        """The endpoint has left: close idle connections, let those in use finish, open no more."""


class Endpoint:
    """One per address, and the same object as long as the address stays in the cluster.

    `active_requests` and `pool` belong to the router and the pool; `is_healthy` says whether EDS and outlier detection
    let it be chosen.
    """

    __slots__ = (
        "active_requests",
        "address",
        "config",
        "host",
        "hostname",
        "is_ejected",
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
        self.address = f"[{config.host}]:{config.port}" if ":" in config.host else f"{config.host}:{config.port}"
        # for the data path
        self.active_requests = 0
        self.pool: Pool | None = None
        self.tls = tls
        self.is_mtls = tls is not None and tls.config.common.is_mesh
        # health
        self.is_ejected = False
        self.outlier_monitor: Any = None  # OutlierMonitor
        # counters
        self.rq_total = 0
        self.rq_error = 0
        self.apply(config)

    def apply(self, config: EndpointConfig) -> None:
        """What EDS says now; connections, counters and ejection stay."""
        self.config = config
        self.hostname = config.hostname
        self.workload = config.workload
        self.weight = config.weight
        self.is_healthy = config.is_healthy and not self.is_ejected

    def set_ejected(self, is_ejected: bool) -> None:
        """Outlier detection's verdict. Whoever calls it has the load balancers updated."""
        self.is_ejected = is_ejected
        self.is_healthy = self.config.is_healthy and not is_ejected

    def drain(self) -> None:
        """It has left its cluster."""
        if self.pool is not None:
            self.pool.drain()

    def __repr__(self) -> str:
        state = "healthy" if self.is_healthy else "ejected" if self.is_ejected else "unhealthy"
        return f"<Endpoint {self.address} {state} active={self.active_requests}>"
