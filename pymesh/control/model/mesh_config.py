"""MeshConfig: what holds for the whole mesh where no rule says otherwise. Not an object of the store: a file.

https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/
"""

from typing import Literal

from pymesh.control.model.destination_rule import LocalityLoadBalancerSetting
from pymesh.control.model.messages import Message
from pymesh.control.model.virtual_service import HTTPRetry
from pymesh.names import DEFAULT_DOMAIN, ROOT_NAMESPACE

OutboundTrafficPolicyMode = Literal["REGISTRY_ONLY", "ALLOW_ANY"]
AccessLogEncoding = Literal["TEXT", "JSON"]


class OutboundTrafficPolicy(Message):
    mode: OutboundTrafficPolicyMode = "ALLOW_ANY"


class Tracing(Message):
    """`sampling`: percent of the requests."""

    sampling: float = 1.0


class ProxyConfig(Message):
    """What sidecars and gateways have in common."""

    tracing: Tracing = Tracing()


class MeshConfig(Message):
    """The defaults are Istio's. An empty `access_log_format` is Istio's text format."""

    connect_timeout: str = "10s"
    outbound_traffic_policy: OutboundTrafficPolicy = OutboundTrafficPolicy()
    enable_auto_mtls: bool = True
    trust_domain: str = DEFAULT_DOMAIN
    root_namespace: str = ROOT_NAMESPACE
    default_service_export_to: tuple[str, ...] = ("*",)
    default_virtual_service_export_to: tuple[str, ...] = ("*",)
    default_destination_rule_export_to: tuple[str, ...] = ("*",)
    default_http_retry_policy: HTTPRetry | None = None
    locality_lb_setting: LocalityLoadBalancerSetting = LocalityLoadBalancerSetting(enabled=True)
    access_log_file: str = ""
    access_log_format: str = ""
    access_log_encoding: AccessLogEncoding = "TEXT"
    default_config: ProxyConfig = ProxyConfig()
