"""Service: a name and ports for the workloads that its selector finds.

https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/
"""

from typing import Any, Literal

import msgspec

from pymesh.control.model.messages import Message

ServiceType = Literal["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]
TransportProtocol = Literal["TCP", "UDP", "SCTP"]


class ServicePort(Message):
    """`target_port` is a number, a name in the workload's ports, or None: the same as `port`."""

    name: str = ""
    """Says the protocol, too: http, http-web, tcp-db."""
    port: int = 0
    """The port that callers name."""
    target_port: int | str | None = None
    """That of the workload, as a number or a name; the same by default."""
    protocol: TransportProtocol = "TCP"
    """TCP."""
    app_protocol: str = ""
    """The protocol, where the name does not say it."""
    node_port: int = 0
    """Means nothing here."""


TrafficDistribution = Literal["PreferClose", "PreferSameZone", "PreferSameNode"]


class Service(Message):
    """Without a selector: the workloads that registered under its name.

    Fields from `cluster_ip` on steer kube-proxy and load balancers of clouds; like Istio's proxies, ours do not obey
    them.
    """

    ports: tuple[ServicePort, ...] = ()
    """Its ports."""
    selector: dict[str, str] = {}
    """Labels of the workloads that are its endpoints."""
    type: ServiceType = "ClusterIP"
    """Means nothing here but for ExternalName."""
    external_name: str = ""
    """The DNS name that an ExternalName stands for."""
    publish_not_ready_addresses: bool = False
    """Whether unhealthy workloads are endpoints."""
    cluster_ip: str = msgspec.field(default="", name="clusterIP")
    """The address by which callers may name the service."""
    cluster_ips: tuple[str, ...] = msgspec.field(default=(), name="clusterIPs")
    """Several of them."""
    external_ips: tuple[str, ...] = msgspec.field(default=(), name="externalIPs")
    """Means nothing here."""
    session_affinity: str = ""
    """Means nothing here."""
    session_affinity_config: dict[str, Any] = {}
    """Means nothing here."""
    ip_families: tuple[str, ...] = ()
    """Means nothing here."""
    ip_family_policy: str = ""
    """Means nothing here."""
    internal_traffic_policy: str = ""
    """Means nothing here."""
    external_traffic_policy: str = ""
    """Means nothing here."""
    traffic_distribution: TrafficDistribution | None = None
    """Whether clients prefer endpoints of their zone or of their machine."""
    load_balancer_ip: str = msgspec.field(default="", name="loadBalancerIP")
    """Means nothing here."""
    load_balancer_class: str = ""
    """Means nothing here."""
    load_balancer_source_ranges: tuple[str, ...] = ()
    """Means nothing here."""
    allocate_load_balancer_node_ports: bool | None = None
    """Means nothing here."""
    health_check_node_port: int = 0
    """Means nothing here."""
