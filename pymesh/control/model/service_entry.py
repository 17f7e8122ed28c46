"""ServiceEntry: a service that no Service declares, in the mesh or outside.

https://istio.io/latest/docs/reference/config/networking/service-entry/
"""

from typing import Literal

from pymesh.control.model.messages import LabelSelector, Message
from pymesh.control.model.workload_entry import WorkloadEntry

Location = Literal["MESH_EXTERNAL", "MESH_INTERNAL"]
Resolution = Literal["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"]


class ServicePort(Message):
    """`target_port` 0 is `number`."""

    number: int = 0
    """The port."""
    protocol: str = ""
    """HTTP, HTTPS, GRPC, HTTP2, TCP, TLS and so on."""
    name: str = ""
    """Its name."""
    target_port: int = 0
    """The port of the endpoints; the same by default."""


class ServiceEntry(Message):
    hosts: tuple[str, ...] = ()
    """Names of the service."""
    addresses: tuple[str, ...] = ()
    """Addresses or networks of the service, for what is not HTTP."""
    ports: tuple[ServicePort, ...] = ()
    """Its ports."""
    location: Location = "MESH_EXTERNAL"
    """Whether it is a part of the mesh, with mutual TLS."""
    resolution: Resolution = "NONE"
    """How endpoints are found: given here, or in DNS."""
    endpoints: tuple[WorkloadEntry, ...] = ()
    """Its endpoints."""
    workload_selector: LabelSelector | None = None
    """Labels of WorkloadEntries that are its endpoints."""
    export_to: tuple[str, ...] = ()
    """Namespaces whose proxies see this object: * for all, . for its own."""
    subject_alt_names: tuple[str, ...] = ()
    """Names of which the endpoints' certificates must have one."""
