"""Instance: one running workload, as a WorkloadEntry (or an endpoint of a ServiceEntry) tells of it."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from pymesh.control.model.resource import Resource
from pymesh.control.model.workload_entry import WorkloadEntry
from pymesh.names import (
    APP_LABEL,
    APP_PORT_ANNOTATION,
    APP_PROTOCOL_ANNOTATION,
    CANONICAL_NAME_LABEL,
    CANONICAL_REVISION_LABEL,
    CLUSTER_ID,
    INBOUND_PORT_ANNOTATION,
    SERVICE_ANNOTATION,
    TLS_MODE_LABEL,
    VERSION_LABEL,
    WORKLOAD_NAME_ANNOTATION,
)


class Locality(NamedTuple):
    region: str = ""
    zone: str = ""
    sub_zone: str = ""


def parse_locality(text: str) -> Locality:
    """`region/zone/subzone`; later parts may be missing."""
    parts = text.split("/", 2)
    return Locality(*parts)


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """`workload` is `name;namespace;canonical service;canonical revision;cluster`, as Istio's metrics name a peer.

    Parts of it that nobody told are empty.

    `has_only_ports`: it serves no other port than those in `ports`.

    `inbound_port` is where its sidecar listens, `app_port` where the application does; 0 where no sidecar registered
    it.
    """

    address: str
    namespace: str
    labels: dict[str, str]
    ports: dict[str, int]
    service_account: str
    locality: Locality
    weight: int
    workload: str
    is_healthy: bool = True
    service: str = ""
    inbound_port: int = 0
    app_port: int = 0
    app_protocol: str = ""
    has_only_ports: bool = False
    has_account: bool = False

    @property
    def has_mtls(self) -> bool:
        """Where no label says it: a workload by hand that has a service account has its certificate, too.

        Istio: getTLSModeFromWorkloadEntry in pilot/pkg/serviceregistry/serviceentry/conversion.go.
        """
        said = self.labels.get(TLS_MODE_LABEL)
        return said == "istio" if said is not None else self.has_account and not self.service


def build_instance(resource: Resource[WorkloadEntry]) -> Instance:
    """The instance of a WorkloadEntry; a sidecar's has annotations that say what a WorkloadEntry cannot."""
    notes = resource.metadata.annotations
    spec = resource.spec
    labels = {**resource.metadata.labels, **spec.labels}
    return Instance(
        address=spec.address,
        namespace=resource.namespace,
        labels=labels,
        ports=spec.ports,
        service_account=spec.service_account or "default",
        has_account=bool(spec.service_account),
        locality=parse_locality(spec.locality),
        weight=spec.weight,
        workload=_workload(notes.get(WORKLOAD_NAME_ANNOTATION) or resource.name, resource.namespace, labels),
        is_healthy=_is_healthy(resource.status),
        service=notes.get(SERVICE_ANNOTATION, ""),
        inbound_port=_port(notes.get(INBOUND_PORT_ANNOTATION, "")),
        app_port=_port(notes.get(APP_PORT_ANNOTATION, "")),
        app_protocol=notes.get(APP_PROTOCOL_ANNOTATION, ""),
    )


def build_inline_instance(endpoint: WorkloadEntry, namespace: str, default_address: str) -> Instance:
    """The instance of an endpoint that stands in a ServiceEntry; its workload has no name of its own."""
    return Instance(
        address=endpoint.address or default_address,
        namespace=namespace,
        labels=endpoint.labels,
        ports=endpoint.ports,
        service_account=endpoint.service_account,
        has_account=bool(endpoint.service_account),
        locality=parse_locality(endpoint.locality),
        weight=endpoint.weight,
        workload=_workload("", namespace, endpoint.labels),
    )


def build_manual_instance(address: str, namespace: str, ports: dict[str, int], is_ready: bool) -> Instance:
    """The instance of an address in Endpoints or in an EndpointSlice, which say nothing of a workload."""
    return Instance(address, namespace, {}, ports, "", Locality(), 0, "", is_healthy=is_ready, has_only_ports=True)


def build_stand_in(address: str, namespace: str) -> Instance:
    """The instance behind an address of which nothing else is known: no labels, no workload."""
    return Instance(address, namespace, {}, {}, "", Locality(), 0, "")


def _workload(name: str, namespace: str, labels: dict[str, str]) -> str:
    service = labels.get(CANONICAL_NAME_LABEL) or labels.get(APP_LABEL) or name
    revision = labels.get(CANONICAL_REVISION_LABEL) or labels.get(VERSION_LABEL) or "latest"
    return ";".join(part.replace(";", "_") for part in (name, namespace, service, revision, CLUSTER_ID))


def _is_healthy(status: dict[str, Any]) -> bool:
    """Istio's condition `Healthy`; one that nobody checks is healthy."""
    conditions = status.get("conditions")
    found = [item for item in conditions if isinstance(item, dict)] if isinstance(conditions, list) else []
    return not any(item.get("type") == "Healthy" and item.get("status") == "False" for item in found)


def _port(text: str) -> int:
    return int(text) if text.isdigit() else 0
