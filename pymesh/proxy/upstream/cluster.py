"""A cluster: a named set of endpoints with one policy for load balancing, health, limits and TLS."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from pymesh.proxy.tls.config import UpstreamTlsConfig
from pymesh.proxy.tls.contexts import ClientTls
from pymesh.proxy.upstream.circuit_breaker import CircuitBreakers, CircuitBreakerThresholds
from pymesh.proxy.upstream.endpoint import ClusterLoadAssignment, Endpoint
from pymesh.proxy.upstream.load_balancer import LoadBalancerContext


class Service(NamedTuple):
    """The service that a cluster stands for; `host` is its FQDN. From the cluster's metadata `istio.services[0]`."""

    name: str
    namespace: str
    host: str


class TcpKeepalive(NamedTuple):
    """Seconds; 0 leaves the kernel's setting."""

    probes: int = 0
    time: int = 0
    interval: int = 0


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """Cluster, decoded by proxy/xds/cds.py. Times in seconds; 0 disables a timeout."""

    name: str
    type: str = "EDS"  # EDS, STATIC, STRICT_DNS, LOGICAL_DNS, DYNAMIC_FORWARD_PROXY
    service: Service | None = None
    connect_timeout: float = 5.0
    idle_timeout: float = 3600.0
    max_requests_per_connection: int = 0
    max_connection_duration: float = 0.0
    tcp_keepalive: TcpKeepalive | None = None
    load_assignment: ClusterLoadAssignment | None = None
    transport_socket: UpstreamTlsConfig | None = None
    circuit_breakers: CircuitBreakerThresholds = CircuitBreakerThresholds()


class Cluster:
    """The live cluster. It stays the same object while its name stays; what is read here is always current."""

    def __init__(self, config: ClusterConfig) -> None:
        self.config = config
        self.name = config.name
        self.service = config.service
        self.connect_timeout = config.connect_timeout
        self.idle_timeout = config.idle_timeout
        self.max_requests_per_connection = config.max_requests_per_connection
        self.max_connection_duration = config.max_connection_duration
        self.circuit_breakers = CircuitBreakers(config.circuit_breakers)
        self.is_dynamic_forward_proxy = config.type == "DYNAMIC_FORWARD_PROXY"

    def choose_endpoint(self, context: LoadBalancerContext) -> Endpoint | None:
        """None where no endpoint may serve it: UH. Never one of `context.tried` while there is another."""
        raise NotImplementedError

    def resolve(self, authority: bytes, callback: Callable[[str | None], None]) -> bool:
        """Dynamic forward proxy only. True: the answer is there, go on, `callback` is not called. False: `callback`
        comes later, once, with None or the failure's text; `choose_endpoint` then knows."""
        raise NotImplementedError

    def tls_for(self, endpoint: Endpoint) -> ClientTls | None:
        """None: plaintext."""
        return endpoint.tls

    def on_result(self, endpoint: Endpoint, code: int | None, failure: str | None) -> None:
        """The end of a try, for outlier detection: an HTTP status, or None and the failure's text (connect failure,
        reset, timeout); None and None is a TCP connection that was established."""
        raise NotImplementedError

    def describe(self) -> dict[str, Any]:
        """For the admin page /clusters."""
        raise NotImplementedError
