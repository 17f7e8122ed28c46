"""MeshConfig: what holds for the whole mesh where no rule says otherwise. A file, or Istio's ConfigMap.

https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/
"""

from typing import Any, Literal

import msgspec

from pymesh.control.model.destination_rule import (
    ConnectionPoolSettings,
    LocalityLoadBalancerSetting,
    OutlierDetection,
    TcpKeepalive,
)
from pymesh.control.model.extension_provider import ExtensionProvider
from pymesh.control.model.gateway import TLSProtocol
from pymesh.control.model.messages import Message
from pymesh.control.model.proxy_settings import ProxySettings
from pymesh.control.model.virtual_service import HTTPRetry
from pymesh.names import DEFAULT_DOMAIN, ROOT_NAMESPACE

OutboundTrafficPolicyMode = Literal["REGISTRY_ONLY", "ALLOW_ANY"]
InboundTrafficPolicyMode = Literal["PASSTHROUGH", "LOCALHOST"]
AccessLogEncoding = Literal["TEXT", "JSON"]
H2UpgradePolicy = Literal["DO_NOT_UPGRADE", "UPGRADE"]
PathNormalizationType = Literal["DEFAULT", "NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"]


class OutboundTrafficPolicy(Message):
    mode: OutboundTrafficPolicyMode = "ALLOW_ANY"
    """Whether traffic to unknown hosts is passed on or dropped."""


class InboundTrafficPolicy(Message):
    mode: InboundTrafficPolicyMode = "PASSTHROUGH"
    """Whether the application is called at the workload's address or at localhost; here it is localhost either way, but
    for ports that nobody declared, which are called at the address."""


class DefaultProviders(Message):
    tracing: tuple[str, ...] = ()
    """Names of the providers that get spans."""
    metrics: tuple[str, ...] = ()
    """Names of the providers that get metrics."""
    access_logging: tuple[str, ...] = ()
    """Names of the providers that get access logs."""


class PathNormalization(Message):
    normalization: PathNormalizationType = "DEFAULT"
    """What is done to paths before they are matched; DEFAULT is BASE."""


class TLSConfig(Message):
    min_protocol_version: TLSProtocol = "TLS_AUTO"
    """Lowest TLS version that is taken."""
    ecdh_curves: tuple[str, ...] = ()
    """Curves of the key exchange."""
    cipher_suites: tuple[str, ...] = ()
    """Ciphers for TLS 1.2."""


class DefaultTrafficPolicy(Message):
    """Each block holds whole for clusters of services where no DestinationRule has one."""

    connection_pool: ConnectionPoolSettings | None = None
    """Limits of connections."""
    outlier_detection: OutlierDetection | None = None
    """Ejection of endpoints."""


class MeshConfig(Message):
    """The defaults are Istio's. An empty `access_log_format` is Istio's text format."""

    connect_timeout: str = "10s"
    """Time for a connection to open."""
    protocol_detection_timeout: str = ""
    """Time for a client to show its protocol; 0s waits."""
    tcp_keepalive: TcpKeepalive | None = None
    """Keepalive of connections to endpoints."""
    outbound_traffic_policy: OutboundTrafficPolicy = OutboundTrafficPolicy()
    """What happens to traffic to unknown hosts."""
    inbound_traffic_policy: InboundTrafficPolicy = InboundTrafficPolicy()
    """Where the application is called."""
    enable_auto_mtls: bool = True
    """Whether sidecars use mTLS to endpoints that can."""
    trust_domain: str = DEFAULT_DOMAIN
    """Trust domain of the mesh's identities."""
    trust_domain_aliases: tuple[str, ...] = ()
    """Further trust domains whose identities mean the same."""
    root_namespace: str = ROOT_NAMESPACE
    """The namespace whose rules hold for the whole mesh."""
    default_service_export_to: tuple[str, ...] = ("*",)
    """exportTo of services that say none."""
    default_virtual_service_export_to: tuple[str, ...] = ("*",)
    """exportTo of VirtualServices that say none."""
    default_destination_rule_export_to: tuple[str, ...] = ("*",)
    """exportTo of DestinationRules that say none."""
    default_http_retry_policy: HTTPRetry | None = None
    """Retries of routes that say none."""
    default_traffic_policy: DefaultTrafficPolicy | None = None
    """Blocks of traffic policies that hold where no DestinationRule has them."""
    locality_lb_setting: LocalityLoadBalancerSetting = LocalityLoadBalancerSetting(enabled=True)
    """Preference for near endpoints."""
    dns_refresh_rate: str = ""
    """How often names of endpoints are resolved; default 60s."""
    h2_upgrade_policy: H2UpgradePolicy = "DO_NOT_UPGRADE"
    """Whether HTTP/1.1 is spoken as HTTP/2 between proxies."""
    path_normalization: PathNormalization | None = None
    """What is done to paths before they are matched."""
    mesh_mtls: TLSConfig | None = msgspec.field(default=None, name="meshMTLS")
    """TLS among workloads of the mesh."""
    tls_defaults: TLSConfig | None = None
    """TLS with everything else."""
    enable_tracing: bool = False
    """The older way to switch tracing on, which always is."""
    access_log_file: str = ""
    """File of the access logs, as /dev/stdout; empty is none."""
    access_log_format: str = ""
    """Format of access logs."""
    access_log_encoding: AccessLogEncoding = "TEXT"
    """Text or JSON."""
    extension_providers: tuple[ExtensionProvider, ...] = ()
    """External authorizers, and receivers of traces, metrics and logs, by name."""
    default_providers: DefaultProviders | None = None
    """Providers that hold where no Telemetry names one."""
    enable_prometheus_merge: bool = True
    """Whether the sidecar shows the application's metrics with its own."""
    discovery_selectors: tuple[dict[str, Any], ...] = ()
    """Namespaces that are looked at."""
    service_settings: tuple[dict[str, Any], ...] = ()
    """Settings of services in several clusters."""
    default_config: ProxySettings = ProxySettings()
    """What sidecars and gateways have in common."""
