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
    protocol: str = ""
    name: str = ""
    target_port: int = 0


class ServiceEntry(Message):
    hosts: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    ports: tuple[ServicePort, ...] = ()
    location: Location = "MESH_EXTERNAL"
    resolution: Resolution = "NONE"
    endpoints: tuple[WorkloadEntry, ...] = ()
    workload_selector: LabelSelector | None = None
    export_to: tuple[str, ...] = ()
    subject_alt_names: tuple[str, ...] = ()
