"""Rules of a WorkloadEntry, which are also those of a ServiceEntry's endpoints. Istio: validateWorkloadEntry."""

from pymesh.control.model.resource import Metadata
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.control.model.workload_entry import WorkloadEntry


def check_workload_entry(spec: WorkloadEntry, metadata: Metadata, at: Scope) -> None:
    check_endpoint(spec, at)


def check_endpoint(endpoint: WorkloadEntry, at: Scope) -> None:
    if endpoint.address.startswith(syntax.UNIX_PREFIX):
        syntax.check_unix_address(endpoint.address, at["address"])
        at["ports"].require(not endpoint.ports, "cannot stand beside a Unix socket")
    elif endpoint.address:
        syntax.check_address(endpoint.address, at["address"])
    else:
        at["address"].require(endpoint.network, "is required")
    check_endpoint_fields(endpoint, at)


def check_endpoint_fields(endpoint: WorkloadEntry, at: Scope) -> None:
    """All but the address."""
    for name, port in endpoint.ports.items():
        syntax.check_port_name(name, at["ports"][name])
        syntax.check_port(port, at["ports"][name])
    syntax.check_labels(endpoint.labels, at["labels"])
    syntax.check_not_negative(endpoint.weight, at["weight"])
    at["locality"].require(len(endpoint.locality.split("/")) <= 3, "must be region[/zone[/sub-zone]]")
