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
    port: int = 0
    target_port: int | str | None = None
    protocol: TransportProtocol = "TCP"
    app_protocol: str = ""
    node_port: int = 0


class Service(Message):
    """Without a selector: the workloads that registered under its name.

    Fields from `cluster_ip` on steer kube-proxy and load balancers of clouds; like Istio's proxies, ours do not obey
    them.
    """

    ports: tuple[ServicePort, ...] = ()
    selector: dict[str, str] = {}
    type: ServiceType = "ClusterIP"
    external_name: str = ""
    publish_not_ready_addresses: bool = False
    cluster_ip: str = msgspec.field(default="", name="clusterIP")
    cluster_ips: tuple[str, ...] = msgspec.field(default=(), name="clusterIPs")
    external_ips: tuple[str, ...] = msgspec.field(default=(), name="externalIPs")
    session_affinity: str = ""
    session_affinity_config: dict[str, Any] = {}
    ip_families: tuple[str, ...] = ()
    ip_family_policy: str = ""
    internal_traffic_policy: str = ""
    external_traffic_policy: str = ""
    traffic_distribution: str = ""
    load_balancer_ip: str = msgspec.field(default="", name="loadBalancerIP")
    load_balancer_class: str = ""
    load_balancer_source_ranges: tuple[str, ...] = ()
    allocate_load_balancer_node_ports: bool | None = None
    health_check_node_port: int = 0
