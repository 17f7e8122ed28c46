"""Objects of a kind that compete for workloads: of several that select one, a single one is in force."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pymesh.control.analysis.analyzed_mesh import AnalyzedMesh
from pymesh.control.analysis.message import Message, MessageType, report
from pymesh.control.analysis.message_types import (
    CONFLICTING_SIDECAR_WORKLOAD_SELECTORS,
    CONFLICTING_TELEMETRY_WORKLOAD_SELECTORS,
    MULTIPLE_SIDECARS_WITHOUT_WORKLOAD_SELECTORS,
    MULTIPLE_TELEMETRIES_WITHOUT_WORKLOAD_SELECTORS,
    REFERENCED_RESOURCE_NOT_FOUND,
)
from pymesh.control.model.kinds import SIDECAR, TELEMETRY
from pymesh.control.model.resource import Key
from pymesh.control.model.sidecar import Sidecar
from pymesh.control.model.telemetry import Telemetry

_NAME = "metadata.name"


class Selecting(NamedTuple):
    """An object with its selector, which is empty where it is for all of its namespace, and the selector's place."""

    key: Key
    labels: dict[str, str]
    path: str


def format_labels(labels: dict[str, str]) -> str:
    """As Kubernetes writes a selector: `app=web,version=v1`."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def check_sidecar_selectors(mesh: AnalyzedMesh) -> Iterator[Message]:
    sidecars = _sidecars(mesh)
    yield from _not_found(mesh, sidecars)
    yield from _overlaps(mesh, sidecars, CONFLICTING_SIDECAR_WORKLOAD_SELECTORS)


def check_default_sidecars(mesh: AnalyzedMesh) -> Iterator[Message]:
    yield from _several_for_all(_sidecars(mesh), MULTIPLE_SIDECARS_WITHOUT_WORKLOAD_SELECTORS)


def check_telemetry_selectors(mesh: AnalyzedMesh) -> Iterator[Message]:
    telemetries = _telemetries(mesh)
    yield from _not_found(mesh, telemetries)
    yield from _overlaps(mesh, telemetries, CONFLICTING_TELEMETRY_WORKLOAD_SELECTORS)


def check_default_telemetries(mesh: AnalyzedMesh) -> Iterator[Message]:
    yield from _several_for_all(_telemetries(mesh), MULTIPLE_TELEMETRIES_WITHOUT_WORKLOAD_SELECTORS)


def _sidecars(mesh: AnalyzedMesh) -> list[Selecting]:
    found = ((one.key, one.spec.workload_selector) for one in mesh.of(SIDECAR, Sidecar))
    return [
        Selecting(key, selector.labels if selector is not None else {}, "spec.workloadSelector.labels")
        for key, selector in found
    ]


def _telemetries(mesh: AnalyzedMesh) -> list[Selecting]:
    """Without those that are for a gateway or a service."""
    found = (one for one in mesh.of(TELEMETRY, Telemetry) if one.spec.target_ref is None and not one.spec.target_refs)
    return [
        Selecting(one.key, one.spec.selector.match_labels if one.spec.selector else {}, "spec.selector.matchLabels")
        for one in found
    ]


def _not_found(mesh: AnalyzedMesh, objects: Iterable[Selecting]) -> Iterator[Message]:
    for key, labels, path in objects:
        if labels and not mesh.select(key.namespace, labels):
            yield report(REFERENCED_RESOURCE_NOT_FOUND, key, path, "selector", format_labels(labels))


def _overlaps(mesh: AnalyzedMesh, objects: Iterable[Selecting], kind: MessageType) -> Iterator[Message]:
    of_workload: dict[Key, list[Selecting]] = {}
    for one in objects:
        for workload in mesh.select(one.key.namespace, one.labels) if one.labels else ():
            of_workload.setdefault(workload.key, []).append(one)
    for key, several in of_workload.items():
        for one in several if len(several) > 1 else ():
            yield report(kind, one.key, _NAME, _names(several), key.namespace, key.name)


def _several_for_all(objects: Iterable[Selecting], kind: MessageType) -> Iterator[Message]:
    of_namespace: dict[str, list[Selecting]] = {}
    for one in objects:
        if not one.labels:
            of_namespace.setdefault(one.key.namespace, []).append(one)
    for namespace, several in of_namespace.items():
        for one in several if len(several) > 1 else ():
            yield report(kind, one.key, _NAME, _names(several), namespace)


def _names(objects: Iterable[Selecting]) -> str:
    return ", ".join(one.key.name for one in objects)
