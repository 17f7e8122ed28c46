"""WorkloadEntry: one instance of a service. A sidecar that registers itself becomes one.

https://istio.io/latest/docs/reference/config/networking/workload-entry/
"""

from pymesh.control.model.messages import Message


class WorkloadEntry(Message):
    """`address` is an IP or a DNS name; `ports` maps names of service ports to ports of the workload."""

    address: str = ""
    ports: dict[str, int] = {}
    labels: dict[str, str] = {}
    network: str = ""
    locality: str = ""
    weight: int = 0
    service_account: str = ""
