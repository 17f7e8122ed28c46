"""ClusterConfig: a Cluster, decoded. No behaviour."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from pymesh.proxy.upstream.circuit_breaker import CircuitBreakerThresholds
from pymesh.proxy.upstream.dns import DEFAULT_DNS, DnsConfig
from pymesh.proxy.upstream.dynamic_forward_proxy import DEFAULT_DNS_CACHE, DnsCacheConfig
from pymesh.proxy.upstream.endpoint import ClusterLoadAssignment
from pymesh.proxy.upstream.health_check import HealthCheckConfig
from pymesh.proxy.upstream.http2_options import DEFAULT_HTTP2, Http2Options, UpstreamProtocol
from pymesh.proxy.upstream.lb_policy import LoadBalancerConfig
from pymesh.proxy.upstream.outlier_detection import OutlierDetectionConfig
from pymesh.proxy.upstream.priority_load import PANIC_THRESHOLD
from pymesh.proxy.upstream.transport_socket_matcher import TransportSocketsConfig

EDS = "EDS"
STATIC = "STATIC"
STRICT_DNS = "STRICT_DNS"
LOGICAL_DNS = "LOGICAL_DNS"
ORIGINAL_DST = "ORIGINAL_DST"
DYNAMIC_FORWARD_PROXY = "DYNAMIC_FORWARD_PROXY"


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


_DEFAULT_THRESHOLDS: Final = CircuitBreakerThresholds()
_DEFAULT_LOAD_BALANCER: Final = LoadBalancerConfig()
_PLAINTEXT: Final = TransportSocketsConfig()


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """Cluster, decoded by proxy/xds/cds.py. Times in seconds; 0 disables a timeout or a limit."""

    name: str
    type: str = EDS
    service: Service | None = None
    # endpoints
    eds_service_name: str = ""
    load_assignment: ClusterLoadAssignment | None = None
    dns: DnsConfig = DEFAULT_DNS
    dns_cache: DnsCacheConfig = DEFAULT_DNS_CACHE
    # who is chosen
    load_balancer: LoadBalancerConfig = _DEFAULT_LOAD_BALANCER
    panic_threshold: float = PANIC_THRESHOLD  # percent; 0 never panics
    outlier_detection: OutlierDetectionConfig | None = None
    health_check: HealthCheckConfig | None = None
    ignore_health_on_host_removal: bool = False
    circuit_breakers: CircuitBreakerThresholds = _DEFAULT_THRESHOLDS
    high_priority_breakers: CircuitBreakerThresholds = _DEFAULT_THRESHOLDS
    # connections
    connect_timeout: float = 5.0
    idle_timeout: float = 3600.0
    max_requests_per_connection: int = 0
    max_connection_duration: float = 0.0
    tcp_keepalive: TcpKeepalive | None = None
    transport_sockets: TransportSocketsConfig = _PLAINTEXT
    protocol: UpstreamProtocol = UpstreamProtocol.HTTP1
    http2: Http2Options = DEFAULT_HTTP2

    @property
    def endpoints_name(self) -> str:
        """The name of its ClusterLoadAssignment."""
        return self.eds_service_name or self.name
