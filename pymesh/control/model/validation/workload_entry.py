"""Rules of a WorkloadEntry, which are also those of a ServiceEntry's endpoints."""

from pymesh.control.model.resource import Metadata
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.control.model.workload_entry import WorkloadEntry


def check_workload_entry(spec: WorkloadEntry, metadata: Metadata, at: Scope) -> None:
    check_endpoint(spec, at)


def check_endpoint(endpoint: WorkloadEntry, at: Scope) -> None:
    if endpoint.address:
        syntax.check_address(endpoint.address, at["address"])
    else:
        at["address"].fail("is required")
    for name, port in endpoint.ports.items():
        check_port_name(name, at["ports"][name])
        syntax.check_port(port, at["ports"][name])
    syntax.check_labels(endpoint.labels, at["labels"])
    syntax.check_not_negative(endpoint.weight, at["weight"])
    at["locality"].require(len(endpoint.locality.split("/")) <= 3, "must be region[/zone[/sub-zone]]")


def check_port_name(name: str, at: Scope) -> None:
    at.require(syntax.is_dns_label(name.lower()), f"{name!r} is not a port name (letters, digits and '-')")
