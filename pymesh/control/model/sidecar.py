"""Sidecar: what the sidecars of a namespace or of some workloads see of the mesh, and how they take traffic.

https://istio.io/latest/docs/reference/config/networking/sidecar/
"""

from typing import Literal

from pymesh.control.model.destination_rule import ConnectionPoolSettings
from pymesh.control.model.gateway import ServerTLSSettings
from pymesh.control.model.messages import Destination, LabelSelector, Message

CaptureMode = Literal["DEFAULT", "IPTABLES", "NONE"]
OutboundTrafficPolicyMode = Literal["REGISTRY_ONLY", "ALLOW_ANY"]


class SidecarPort(Message):
    number: int = 0
    """Port number; 0 together with a Unix socket in `bind`."""
    protocol: str = ""
    """HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP, TLS ...; detected where it is empty."""
    name: str = ""
    """A label for the port."""
    target_port: int = 0
    """Means nothing in a Sidecar."""


class IstioIngressListener(Message):
    """Takes the workload's inbound traffic on one port."""

    port: SidecarPort | None = None
    """The port that is opened; required."""
    bind: str = ""
    """IP address to bind; the workload's own where it is empty."""
    capture_mode: CaptureMode = "DEFAULT"
    """Whether traffic is expected by redirection (IPTABLES) or on the port itself (NONE)."""
    default_endpoint: str = ""
    """Where the traffic goes: 127.0.0.1:PORT, 0.0.0.0:PORT (the workload's own IP) or unix:///PATH."""
    tls: ServerTLSSettings | None = None
    """TLS that the sidecar terminates itself, instead of the mesh's mTLS."""
    connection_pool: ConnectionPoolSettings | None = None
    """Limits of the connections to the application on this port."""


class IstioEgressListener(Message):
    """Which hosts are seen on one port, or, without a port, on all that have no listener of their own."""

    port: SidecarPort | None = None
    """The port that is opened; each port of the hosts where it is absent."""
    bind: str = ""
    """IP address or unix:///PATH to bind; needs `port`."""
    capture_mode: CaptureMode = "DEFAULT"
    """Whether traffic is expected by redirection (IPTABLES) or on the port itself (NONE)."""
    hosts: tuple[str, ...] = ()
    """`namespace/dnsName` of what is imported: namespace `*` any, `.` own, `~` none; a name may begin with `*`."""


class OutboundTrafficPolicy(Message):
    mode: OutboundTrafficPolicyMode = "REGISTRY_ONLY"
    """What happens to traffic to unknown hosts: REGISTRY_ONLY drops it, ALLOW_ANY passes it on."""
    egress_proxy: Destination | None = None
    """A service that gets the traffic to unknown hosts."""


class Sidecar(Message):
    """At most one without a selector in a namespace; in the root namespace it holds for all that have none."""

    workload_selector: LabelSelector | None = None
    """Labels of the workloads of this namespace that obey; all of them where it is absent."""
    ingress: tuple[IstioIngressListener, ...] = ()
    """Inbound listeners, instead of one for each port of the workload's services."""
    egress: tuple[IstioEgressListener, ...] = ()
    """Outbound listeners and what they import, instead of all that is visible."""
    inbound_connection_pool: ConnectionPoolSettings | None = None
    """Limits of the connections to the application, on every port."""
    outbound_traffic_policy: OutboundTrafficPolicy | None = None
    """What happens to traffic to unknown hosts, instead of what MeshConfig says."""
