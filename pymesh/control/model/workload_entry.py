"""WorkloadEntry: one instance of a service. A sidecar that registers itself becomes one.

https://istio.io/latest/docs/reference/config/networking/workload-entry/
"""

from pymesh.control.model.messages import Message


class WorkloadEntry(Message):
    """`address` is an IP or a DNS name; `ports` maps names of service ports to ports of the workload."""

    address: str = ""
    """Of the workload: an IP, a DNS name, or unix:// and a path."""
    ports: dict[str, int] = {}
    """Its ports, by the names of the service's ports."""
    labels: dict[str, str] = {}
    """Words by which services select it."""
    network: str = ""
    """The network that it is in."""
    locality: str = ""
    """Where it runs: region/zone/subzone."""
    weight: int = 0
    """Its share of the requests."""
    service_account: str = ""
    """The identity that it has."""
