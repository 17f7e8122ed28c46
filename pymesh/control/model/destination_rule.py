"""DestinationRule: what happens to traffic after it was routed: subsets, balancing, limits, ejection, TLS.

https://istio.io/latest/docs/reference/config/networking/destination-rule/
"""

from typing import Literal

import msgspec

from pymesh.control.model.messages import Message, PortSelector, WorkloadSelector

SimpleLB = Literal["UNSPECIFIED", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST"]


class HTTPCookieAttribute(Message):
    name: str = ""
    """Such as SameSite."""
    value: str = ""
    """Such as Strict."""


class HTTPCookie(Message):
    """A cookie is generated only where `ttl` is set; 0s is a session cookie."""

    name: str = ""
    """The cookie."""
    path: str = ""
    """The path for which it is set."""
    ttl: str | None = None
    """How long a cookie that is set lives; 0s is until the browser ends."""
    attributes: tuple[HTTPCookieAttribute, ...] = ()
    """Further attributes of a cookie that is set."""


class RingHash(Message):
    minimum_ring_size: int = 0
    """How many places the ring has at least; 1024 by default."""


class MagLev(Message):
    table_size: int = 0
    """How many places the table has, a prime number; 65537 by default."""


class ConsistentHashLB(Message):
    """oneof hash_key: the first four; oneof hash_algorithm: ring_hash, maglev."""

    http_header_name: str | None = None
    """Hash this header."""
    http_cookie: HTTPCookie | None = None
    """Hash this cookie, which is set where it is absent."""
    use_source_ip: bool | None = None
    """Hash the caller's address."""
    http_query_parameter_name: str | None = None
    """Hash this query parameter."""
    ring_hash: RingHash | None = None
    """Place endpoints on a ring."""
    maglev: MagLev | None = None
    """Place endpoints in a Maglev table."""
    minimum_ring_size: int = 0
    """The old form of ringHash.minimumRingSize."""


class Distribute(Message):
    from_: str = ""
    """Locality of the caller: region/zone/subzone, with * at the end."""
    to: dict[str, int] = {}
    """Percent by locality of the endpoints; together 100."""


class Failover(Message):
    from_: str = ""
    """A region."""
    to: str = ""
    """The region that stands in for it."""


class LocalityLoadBalancerSetting(Message):
    distribute: tuple[Distribute, ...] = ()
    """Shares of the localities, by that of the caller."""
    failover: tuple[Failover, ...] = ()
    """Which region stands in for which."""
    failover_priority: tuple[str, ...] = ()
    """Labels in the order in which endpoints must agree with the caller to be preferred."""
    enabled: bool | None = None
    """Whether localities count."""


class ZoneAwareLoadBalancerSetting(Message):
    enabled: bool | None = None
    """Whether it is on."""
    failover: tuple[Failover, ...] = ()
    """Which region stands in for which."""
    min_cluster_size: int | None = None
    """With fewer endpoints zones do not count."""


class WarmupConfiguration(Message):
    duration: str = ""
    """How long the share grows."""
    minimum_percent: float | None = None
    """The share to begin with; 10 by default."""
    aggression: float | None = None
    """The shape of the growth; 1 is a straight line."""


class LoadBalancerSettings(Message):
    """oneof lb_policy: simple, consistent_hash."""

    simple: SimpleLB | None = None
    """A method without settings; LEAST_REQUEST by default."""
    consistent_hash: ConsistentHashLB | None = None
    """The same key goes to the same endpoint."""
    locality_lb_setting: LocalityLoadBalancerSetting | None = None
    """Which localities take requests, and which stand in for them."""
    zone_aware_lb_setting: ZoneAwareLoadBalancerSetting | None = None
    """Prefer the own zone by its share of the endpoints."""
    warmup_duration_secs: str = ""
    """The old form of warmup."""
    warmup: WarmupConfiguration | None = None
    """How a new endpoint's share of the requests grows."""


class TcpKeepalive(Message):
    probes: int = 0
    """Probes without an answer after which the connection is dead."""
    time: str = ""
    """Silence before the first probe."""
    interval: str = ""
    """Pause between probes."""


class TCPSettings(Message):
    """0 and empty are unset."""

    max_connections: int = 0
    """Connections to the host at most."""
    connect_timeout: str = ""
    """How long a connection may take to be made; 10s by default."""
    tcp_keepalive: TcpKeepalive | None = None
    """Keep-alive probes of the kernel."""
    max_connection_duration: str = ""
    """How long a connection may live."""
    idle_timeout: str = ""
    """How long a TCP connection may be silent; 1h by default."""


H2UpgradePolicy = Literal["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"]


class Http2KeepAlive(Message):
    interval: str = ""
    """Pause between pings."""
    timeout: str = ""
    """How long an answer may take."""


class HTTPSettings(Message):
    """0 and empty are unset. `http2_max_requests` limits HTTP/1.1 requests, too."""

    http1_max_pending_requests: int = 0
    """Requests that may wait for a connection."""
    http2_max_requests: int = 0
    """Requests that may be on the way."""
    max_requests_per_connection: int = 0
    """After so many requests a connection is closed; 0 is never."""
    max_retries: int = 0
    """Retries that may be on the way."""
    idle_timeout: str = ""
    """How long a connection may be without requests; 1h by default."""
    h2_upgrade_policy: H2UpgradePolicy = "DEFAULT"
    """Whether HTTP/1.1 becomes HTTP/2 on the way."""
    use_client_protocol: bool = False
    """Forward with the caller's protocol."""
    max_concurrent_streams: int = 0
    """Requests on one HTTP/2 connection."""
    http2_keep_alive: Http2KeepAlive | None = None
    """Pings on HTTP/2 connections."""


class ConnectionPoolSettings(Message):
    tcp: TCPSettings | None = None
    """Of connections."""
    http: HTTPSettings | None = None
    """Of HTTP requests."""


class OutlierDetection(Message):
    """A counter that is set to 0 is off; one that is not set has Envoy's default."""

    consecutive_errors: int = 0
    """The old form of consecutive5xxErrors."""
    split_external_local_origin_errors: bool = False
    """Whether failures to connect are counted apart from bad answers."""
    consecutive_local_origin_failures: int | None = None
    """Failures to connect in a row after which an endpoint is left out."""
    consecutive_gateway_errors: int | None = None
    """502, 503 and 504 in a row after which an endpoint is left out."""
    consecutive_5xx_errors: int | None = msgspec.field(default=None, name="consecutive5xxErrors")
    """5xx in a row after which an endpoint is left out; 5 by default."""
    interval: str = ""
    """Pause between two looks at the endpoints; 10s by default."""
    base_ejection_time: str = ""
    """How long an endpoint is left out the first time; longer each time after that. 30s by default."""
    max_ejection_percent: int = 0
    """The share of the endpoints that may be left out; 10 by default."""
    min_health_percent: int = 0
    """With a smaller healthy share, all endpoints take requests."""
    outlier_detection_http_error_codes: tuple[int, ...] = ()
    """Statuses that count as errors."""


ClientTLSMode = Literal["DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"]


class ClientTLSSettings(Message):
    """Without `ca_certificates` SIMPLE and MUTUAL trust the machine's CAs."""

    mode: ClientTLSMode = "DISABLE"
    """DISABLE, SIMPLE, MUTUAL with own certificates, or ISTIO_MUTUAL with those of the mesh."""
    client_certificate: str = ""
    """File of the certificate, for MUTUAL."""
    private_key: str = ""
    """File of its key."""
    ca_certificates: str = ""
    """File of the authorities that the server's certificate may be from."""
    credential_name: str = ""
    """Secret with certificate, key and authorities, for gateways."""
    subject_alt_names: tuple[str, ...] = ()
    """Names of which the server's certificate must have one."""
    sni: str = ""
    """The server name in the hello."""
    insecure_skip_verify: bool | None = None
    """Whether the server's certificate is taken unseen."""
    ca_crl: str = ""
    """File of revoked certificates."""


class TunnelSettings(Message):
    protocol: str = ""
    """CONNECT or POST."""
    target_host: str = ""
    """The host that the tunnel leads to."""
    target_port: int = 0
    """Its port."""


ProxyProtocolVersion = Literal["V1", "V2"]


class ProxyProtocol(Message):
    version: ProxyProtocolVersion = "V1"
    """V1 or V2."""


class RetryBudget(Message):
    percent: float | None = None
    """Retries for each hundred requests on the way; 20 by default."""
    min_retry_concurrency: int = 0
    """So many may always be on the way; 3 by default."""


class PortTrafficPolicy(Message):
    """What is not set here has the mesh's default, not the rule's."""

    port: PortSelector | None = None
    """The service's port."""
    load_balancer: LoadBalancerSettings | None = None
    """Which endpoint takes a request."""
    connection_pool: ConnectionPoolSettings | None = None
    """How many connections and requests there may be."""
    outlier_detection: OutlierDetection | None = None
    """When an endpoint that fails is left out."""
    tls: ClientTLSSettings | None = None
    """How connections are encrypted."""


class TrafficPolicy(Message):
    load_balancer: LoadBalancerSettings | None = None
    """Which endpoint takes a request."""
    connection_pool: ConnectionPoolSettings | None = None
    """How many connections and requests there may be."""
    outlier_detection: OutlierDetection | None = None
    """When an endpoint that fails is left out."""
    tls: ClientTLSSettings | None = None
    """How connections are encrypted. Without it, mutual TLS where the endpoint has a sidecar."""
    port_level_settings: tuple[PortTrafficPolicy, ...] = ()
    """Policies for single ports. What such a policy does not set has its default, and not that of the whole service."""
    tunnel: TunnelSettings | None = None
    """Open connections through a proxy, with CONNECT or POST."""
    proxy_protocol: ProxyProtocol | None = None
    """Begin connections with the PROXY protocol."""
    retry_budget: RetryBudget | None = None
    """How many requests may be retries at a time."""


class Subset(Message):
    """Its traffic policy overrides the rule's block by block."""

    name: str = ""
    """As VirtualServices name it."""
    labels: dict[str, str] = {}
    """Labels that its endpoints have."""
    traffic_policy: TrafficPolicy | None = None
    """What differs from the policy of the rule."""


class DestinationRule(Message):
    host: str = ""
    """The service that the rule is for. A short name is completed with the namespace of this object."""
    traffic_policy: TrafficPolicy | None = None
    """How connections are made and requests spread."""
    subsets: tuple[Subset, ...] = ()
    """Named parts of the service's endpoints, by their labels."""
    export_to: tuple[str, ...] = ()
    """Namespaces whose proxies see this object: * for all, . for its own."""
    workload_selector: WorkloadSelector | None = None
    """Labels of the workloads that obey the rule; all of the namespaces that see it by default."""
