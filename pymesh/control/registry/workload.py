"""What a registration becomes: a WorkloadEntry, and the Service that stands in where nobody declared one. Pure."""

from collections.abc import Iterable
from typing import Any

import msgspec

from pymesh.control.model.kinds import SERVICE, WORKLOAD_ENTRY
from pymesh.control.model.resource import Metadata, Resource
from pymesh.control.model.scope import Scope
from pymesh.control.model.service import Service, ServicePort
from pymesh.control.model.validation import syntax
from pymesh.control.model.validation.resource import validate
from pymesh.control.model.workload_entry import WorkloadEntry
from pymesh.control.model.workload_group import ObjectMeta, WorkloadGroup
from pymesh.errors import ValidationError
from pymesh.names import (
    APP_LABEL,
    APP_PORT_ANNOTATION,
    APP_PROTOCOL_ANNOTATION,
    CANONICAL_NAME_LABEL,
    CANONICAL_REVISION_LABEL,
    GROUP_ANNOTATION,
    INBOUND_PORT_ANNOTATION,
    LEASE_ANNOTATION,
    MANAGED_BY_LABEL,
    MANAGED_BY_REGISTRY,
    SERVICE_ANNOTATION,
    VERSION_LABEL,
    WORKLOAD_NAME_ANNOTATION,
)
from pymesh.xds import Registration

HTTP_PORT = 80
PROTOCOLS = ("http", "http2", "grpc", "tcp")


def build_workload_entry(
    namespace: str, name: str, registration: Registration, group: Resource[WorkloadGroup] | None = None
) -> Resource[WorkloadEntry]:
    """What the workload says itself goes before what its group says.

    Raises ValidationError, with the names of the registration's fields where the WorkloadEntry has none for them."""
    labels = _labels(registration, _group_labels(group))
    template = _template(group)
    entry = Resource(
        kind=WORKLOAD_ENTRY,
        metadata=Metadata(name=name, namespace=namespace, labels=labels, annotations=_annotations(registration, group)),
        spec=msgspec.structs.replace(
            template,
            address=registration.address,
            labels=labels,
            locality=registration.locality or template.locality,
            service_account=registration.service_account,
        ),
        status={"conditions": [{"type": "Healthy", "status": str(registration.healthy)}]},
    )
    violations = _check(registration) + validate(entry).violations
    if violations:
        raise ValidationError(WORKLOAD_ENTRY.name, f"{namespace}/{name}", violations)
    return entry


def build_service(namespace: str, name: str, entries: Iterable[Resource[WorkloadEntry]]) -> Resource[Service]:
    """The Service of workloads that registered under this name: port 80 for HTTP, an application's own port for TCP."""
    tcp_ports = sorted({_app_port(entry) for entry in entries if _protocol(entry) == "tcp"})
    kinds = {_protocol(entry) for entry in entries} - {"tcp"}
    name_of_http = next(iter(kinds)) if len(kinds) == 1 else "auto"  # they differ: what each client speaks
    ports = [ServicePort(name=name_of_http, port=HTTP_PORT)] if kinds else []
    for port in tcp_ports:
        if not kinds or port != HTTP_PORT:
            ports.append(ServicePort(name="tcp" if len(tcp_ports) == 1 else f"tcp-{port}", port=port))
    return Resource(
        kind=SERVICE,
        metadata=Metadata(name=name, namespace=namespace, labels={MANAGED_BY_LABEL: MANAGED_BY_REGISTRY}),
        spec=Service(ports=tuple(ports), selector={APP_LABEL: name}),
    )


def is_leased(entry: Resource[Any]) -> bool:
    """A sidecar registered it, and not a user."""
    return entry.metadata.annotations.get(LEASE_ANNOTATION) == "true"


def is_automatic(service: Resource[Any]) -> bool:
    """The registry declared it, and not a user."""
    return service.metadata.labels.get(MANAGED_BY_LABEL) == MANAGED_BY_REGISTRY


def service_of(entry: Resource[Any]) -> str:
    """The name of the service under which it registered."""
    return entry.metadata.annotations.get(SERVICE_ANNOTATION, "")


def is_same(one: Resource[Any], other: Resource[Any]) -> bool:
    """Apart from what the store writes into metadata."""
    return (
        one.spec == other.spec
        and one.status == other.status
        and one.metadata.labels == other.metadata.labels
        and one.metadata.annotations == other.metadata.annotations
    )


def _template(group: Resource[WorkloadGroup] | None) -> WorkloadEntry:
    return (group.spec.template if group is not None else None) or WorkloadEntry()


def _group_metadata(group: Resource[WorkloadGroup] | None) -> ObjectMeta:
    return (group.spec.metadata if group is not None else None) or ObjectMeta()


def _group_labels(group: Resource[WorkloadGroup] | None) -> dict[str, str]:
    """Istio: workloadEntryFromGroup in pilot/pkg/autoregistration/controller.go."""
    return {**_template(group).labels, **_group_metadata(group).labels}


def _labels(registration: Registration, of_group: dict[str, str]) -> dict[str, str]:
    labels = {**of_group, **registration.labels}
    defaults = {
        APP_LABEL: registration.service,
        CANONICAL_NAME_LABEL: registration.service,
        CANONICAL_REVISION_LABEL: labels.get(VERSION_LABEL, "latest"),
    }
    return defaults | labels


def _annotations(registration: Registration, group: Resource[WorkloadGroup] | None) -> dict[str, str]:
    made_after = {GROUP_ANNOTATION: group.name} if group is not None else {}
    return {
        **_group_metadata(group).annotations,
        **made_after,
        SERVICE_ANNOTATION: registration.service,
        INBOUND_PORT_ANNOTATION: str(registration.port),
        APP_PORT_ANNOTATION: str(registration.app_port),
        APP_PROTOCOL_ANNOTATION: registration.app_protocol,
        WORKLOAD_NAME_ANNOTATION: registration.workload_name,
        LEASE_ANNOTATION: "true",
    }


def _check(registration: Registration) -> list[Any]:
    at = Scope()
    syntax.check_dns_label(registration.service, at["service"])
    syntax.check_port(registration.port, at["port"])
    syntax.check_port(registration.app_port, at["app_port"])
    # It becomes a part of a header (x-envoy-peer-metadata) and of metrics.
    is_plain = len(registration.workload_name) <= 253 and registration.workload_name.isprintable()
    at["workload_name"].require(is_plain, "must be printable and not longer than 253 characters")
    at["app_protocol"].require(registration.app_protocol in PROTOCOLS, f"must be one of {', '.join(PROTOCOLS)}")
    at["service_account"].require(
        syntax.is_dns_subdomain(registration.service_account), "must be the name of a service account"
    )
    return at.violations


def _protocol(entry: Resource[Any]) -> str:
    return entry.metadata.annotations.get(APP_PROTOCOL_ANNOTATION, "http")


def _app_port(entry: Resource[Any]) -> int:
    return int(entry.metadata.annotations[APP_PORT_ANNOTATION])
