"""DestinationRule: what happens to traffic after it was routed: subsets, balancing, limits, ejection, TLS.

https://istio.io/latest/docs/reference/config/networking/destination-rule/
"""

from typing import Literal

import msgspec

from pymesh.control.model.messages import Message, PortSelector, WorkloadSelector

SimpleLB = Literal["UNSPECIFIED", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST"]


class HTTPCookieAttribute(Message):
    name: str = ""
    value: str = ""


class HTTPCookie(Message):
    """A cookie is generated only where `ttl` is set; 0s is a session cookie."""

    name: str = ""
    path: str = ""
    ttl: str | None = None
    attributes: tuple[HTTPCookieAttribute, ...] = ()


class RingHash(Message):
    minimum_ring_size: int = 0


class MagLev(Message):
    table_size: int = 0


class ConsistentHashLB(Message):
    """oneof hash_key: the first four; oneof hash_algorithm: ring_hash, maglev."""

    http_header_name: str | None = None
    http_cookie: HTTPCookie | None = None
    use_source_ip: bool | None = None
    http_query_parameter_name: str | None = None
    ring_hash: RingHash | None = None
    maglev: MagLev | None = None
    minimum_ring_size: int = 0


class Distribute(Message):
    from_: str = ""
    to: dict[str, int] = {}


class Failover(Message):
    from_: str = ""
    to: str = ""


class LocalityLoadBalancerSetting(Message):
    distribute: tuple[Distribute, ...] = ()
    failover: tuple[Failover, ...] = ()
    failover_priority: tuple[str, ...] = ()
    enabled: bool | None = None


class ZoneAwareLoadBalancerSetting(Message):
    enabled: bool | None = None
    failover: tuple[Failover, ...] = ()
    min_cluster_size: int | None = None


class WarmupConfiguration(Message):
    duration: str = ""
    minimum_percent: float | None = None
    aggression: float | None = None


class LoadBalancerSettings(Message):
    """oneof lb_policy: simple, consistent_hash."""

    simple: SimpleLB | None = None
    consistent_hash: ConsistentHashLB | None = None
    locality_lb_setting: LocalityLoadBalancerSetting | None = None
    zone_aware_lb_setting: ZoneAwareLoadBalancerSetting | None = None
    warmup_duration_secs: str = ""
    warmup: WarmupConfiguration | None = None


class TcpKeepalive(Message):
    probes: int = 0
    time: str = ""
    interval: str = ""


class TCPSettings(Message):
    """0 and empty are unset."""

    max_connections: int = 0
    connect_timeout: str = ""
    tcp_keepalive: TcpKeepalive | None = None
    max_connection_duration: str = ""
    idle_timeout: str = ""


H2UpgradePolicy = Literal["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"]


class Http2KeepAlive(Message):
    interval: str = ""
    timeout: str = ""


class HTTPSettings(Message):
    """0 and empty are unset. `http2_max_requests` limits HTTP/1.1 requests, too."""

    http1_max_pending_requests: int = 0
    http2_max_requests: int = 0
    max_requests_per_connection: int = 0
    max_retries: int = 0
    idle_timeout: str = ""
    h2_upgrade_policy: H2UpgradePolicy = "DEFAULT"
    use_client_protocol: bool = False
    max_concurrent_streams: int = 0
    http2_keep_alive: Http2KeepAlive | None = None


class ConnectionPoolSettings(Message):
    tcp: TCPSettings | None = None
    http: HTTPSettings | None = None


class OutlierDetection(Message):
    """A counter that is set to 0 is off; one that is not set has Envoy's default."""

    consecutive_errors: int = 0
    split_external_local_origin_errors: bool = False
    consecutive_local_origin_failures: int | None = None
    consecutive_gateway_errors: int | None = None
    consecutive_5xx_errors: int | None = msgspec.field(default=None, name="consecutive5xxErrors")
    interval: str = ""
    base_ejection_time: str = ""
    max_ejection_percent: int = 0
    min_health_percent: int = 0
    outlier_detection_http_error_codes: tuple[int, ...] = ()


ClientTLSMode = Literal["DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"]


class ClientTLSSettings(Message):
    """Without `ca_certificates` SIMPLE and MUTUAL trust the machine's CAs."""

    mode: ClientTLSMode = "DISABLE"
    client_certificate: str = ""
    private_key: str = ""
    ca_certificates: str = ""
    credential_name: str = ""
    subject_alt_names: tuple[str, ...] = ()
    sni: str = ""
    insecure_skip_verify: bool | None = None
    ca_crl: str = ""


class TunnelSettings(Message):
    protocol: str = ""
    target_host: str = ""
    target_port: int = 0


ProxyProtocolVersion = Literal["V1", "V2"]


class ProxyProtocol(Message):
    version: ProxyProtocolVersion = "V1"


class RetryBudget(Message):
    percent: float | None = None
    min_retry_concurrency: int = 0


class PortTrafficPolicy(Message):
    """What is not set here has the mesh's default, not the rule's."""

    port: PortSelector | None = None
    load_balancer: LoadBalancerSettings | None = None
    connection_pool: ConnectionPoolSettings | None = None
    outlier_detection: OutlierDetection | None = None
    tls: ClientTLSSettings | None = None


class TrafficPolicy(Message):
    load_balancer: LoadBalancerSettings | None = None
    connection_pool: ConnectionPoolSettings | None = None
    outlier_detection: OutlierDetection | None = None
    tls: ClientTLSSettings | None = None
    port_level_settings: tuple[PortTrafficPolicy, ...] = ()
    tunnel: TunnelSettings | None = None
    proxy_protocol: ProxyProtocol | None = None
    retry_budget: RetryBudget | None = None


class Subset(Message):
    """Its traffic policy overrides the rule's block by block."""

    name: str = ""
    labels: dict[str, str] = {}
    traffic_policy: TrafficPolicy | None = None


class DestinationRule(Message):
    host: str = ""
    traffic_policy: TrafficPolicy | None = None
    subsets: tuple[Subset, ...] = ()
    export_to: tuple[str, ...] = ()
    workload_selector: WorkloadSelector | None = None
