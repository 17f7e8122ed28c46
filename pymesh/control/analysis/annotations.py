"""Istio's annotations: unknown ones, those on an object for which they mean nothing, and deprecated ones.

https://istio.io/latest/docs/reference/config/annotations/
"""

from collections.abc import Iterator
from typing import NamedTuple

from pymesh.control.analysis.analyzed_mesh import AnalyzedMesh, Annotated
from pymesh.control.analysis.message import Message, report
from pymesh.control.analysis.message_types import (
    DEPRECATED_ANNOTATION,
    INVALID_ANNOTATION,
    MISPLACED_ANNOTATION,
    UNKNOWN_ANNOTATION,
)
from pymesh.control.model.kinds import NAMESPACE, SERVICE
from pymesh.control.model.validation.syntax import is_dns_label
from pymesh.names import EXPORT_TO_ANNOTATION, TRAFFIC_DISTRIBUTION_ANNOTATION

_ANY = "Any"
_INGRESS_CLASS = "kubernetes.io/ingress.class"
_CHECKED = (NAMESPACE, SERVICE)


class Annotation(NamedTuple):
    """`kinds`: on which it has a meaning."""

    kinds: tuple[str, ...]
    is_deprecated: bool = False


def _of(kind: str, *names: str, is_deprecated: bool = False) -> dict[str, Annotation]:
    return dict.fromkeys(names, Annotation((kind,), is_deprecated))


ANNOTATIONS: dict[str, Annotation] = {
    **_of(
        _ANY,
        "galley.istio.io/analyze-suppress",
        "install.operator.istio.io/chart-owner",
        "install.operator.istio.io/owner-generation",
        "install.operator.istio.io/version",
    ),
    **_of("Ingress", _INGRESS_CLASS),
    **_of("Namespace", "topology.istio.io/controlPlaneClusters"),
    **_of("AuthorizationPolicy", "istio.io/dry-run"),
    **_of("Gateway", "gateway.istio.io/controller-version", "gateway.istio.io/name-override"),
    **_of("Service", EXPORT_TO_ANNOTATION),
    TRAFFIC_DISTRIBUTION_ANNOTATION: Annotation(("Service", "ServiceEntry")),
    **_of(
        "Service",
        "alpha.istio.io/canonical-serviceaccounts",
        "alpha.istio.io/kubernetes-serviceaccounts",
        is_deprecated=True,
    ),
    "networking.istio.io/service-type": Annotation(("Gateway",)),
    **_of(
        "Pod", "ambient.istio.io/bypass-inbound-capture", "ambient.istio.io/dns-capture", "ambient.istio.io/redirection"
    ),
    "ambient.istio.io/waypoint-inbound-binding": Annotation(("GatewayClass", "Gateway")),
    **_of(
        "WorkloadEntry",
        "istio.io/autoRegistrationGroup",
        "istio.io/connectedAt",
        "istio.io/disconnectedAt",
        "istio.io/workloadController",
    ),
    **_of(
        "Pod",
        "ambient.istio.io/bypass-inbound-capture",
        "ambient.istio.io/dns-capture",
        "ambient.istio.io/redirection",
        "inject.istio.io/templates",
        "istio.io/rev",
        "prometheus.istio.io/merge-metrics",
        "proxy.istio.io/config",
        "proxy.istio.io/overrides",
        "readiness.status.sidecar.istio.io/applicationPorts",
        "readiness.status.sidecar.istio.io/failureThreshold",
        "readiness.status.sidecar.istio.io/initialDelaySeconds",
        "readiness.status.sidecar.istio.io/periodSeconds",
        "sidecar.istio.io/agentLogLevel",
        "sidecar.istio.io/bootstrapOverride",
        "sidecar.istio.io/componentLogLevel",
        "sidecar.istio.io/enableCoreDump",
        "sidecar.istio.io/extraStatTags",
        "sidecar.istio.io/interceptionMode",
        "sidecar.istio.io/logLevel",
        "sidecar.istio.io/nativeSidecar",
        "sidecar.istio.io/proxyCPU",
        "sidecar.istio.io/proxyCPULimit",
        "sidecar.istio.io/proxyImage",
        "sidecar.istio.io/proxyImageType",
        "sidecar.istio.io/proxyMemory",
        "sidecar.istio.io/proxyMemoryLimit",
        "sidecar.istio.io/rewriteAppHTTPProbers",
        "sidecar.istio.io/statsCompression",
        "sidecar.istio.io/statsHistogramBuckets",
        "sidecar.istio.io/status",
        "sidecar.istio.io/userVolume",
        "sidecar.istio.io/userVolumeMount",
        "status.sidecar.istio.io/port",
        "traffic.sidecar.istio.io/excludeInboundPorts",
        "traffic.sidecar.istio.io/excludeInterfaces",
        "traffic.sidecar.istio.io/excludeOutboundIPRanges",
        "traffic.sidecar.istio.io/excludeOutboundPorts",
        "traffic.sidecar.istio.io/includeInboundPorts",
        "traffic.sidecar.istio.io/includeOutboundIPRanges",
        "traffic.sidecar.istio.io/includeOutboundPorts",
        "istio.io/reroute-virtual-interfaces",
    ),
    **_of(
        "Pod",
        "alpha.istio.io/identity",
        "sidecar.istio.io/controlPlaneAuthPolicy",
        "sidecar.istio.io/discoveryAddress",
        "sidecar.istio.io/inject",
        "sidecar.istio.io/statsInclusionPrefixes",
        "sidecar.istio.io/statsInclusionRegexps",
        "sidecar.istio.io/statsInclusionSuffixes",
        "traffic.sidecar.istio.io/kubevirtInterfaces",
        is_deprecated=True,
    ),
}
_REPLACEMENTS = {
    "sidecar.istio.io/inject": " in favor of the label of the same name",
    "traffic.sidecar.istio.io/kubevirtInterfaces": " in favor of istio.io/reroute-virtual-interfaces",
}


def check_annotations(mesh: AnalyzedMesh) -> Iterator[Message]:
    """Of Namespaces, Services, and the Kubernetes objects with a pod template; not those of the template."""
    resources = (one for one in (*mesh.resources.values(), *mesh.refused.values()) if one.kind in _CHECKED)
    found = (Annotated(one.key, one.metadata.annotations, one.metadata.labels) for one in resources)
    for item in (*found, *mesh.pods):
        for name, value in item.annotations.items():
            if name == _INGRESS_CLASS or name.partition("/")[0].endswith("istio.io"):
                yield from _check(item, name, value)


def _check(item: Annotated, name: str, value: str) -> Iterator[Message]:
    path, known = f'metadata.annotations["{name}"]', ANNOTATIONS.get(name)
    if known is None:
        yield report(UNKNOWN_ANNOTATION, item.key, path, name)
        return
    if known.is_deprecated and name not in item.labels:
        yield report(DEPRECATED_ANNOTATION, item.key, path, name, _REPLACEMENTS.get(name, ""))
    if _ANY not in known.kinds and item.key.kind not in known.kinds:
        yield report(MISPLACED_ANNOTATION, item.key, path, name, ", ".join(known.kinds))
    elif name == EXPORT_TO_ANNOTATION and (wrong := _wrong_namespaces(value)):
        yield report(INVALID_ANNOTATION, item.key, path, name, f"{wrong!r} is neither a namespace nor '.', '*', '~'")


def _wrong_namespaces(value: str) -> str:
    """The first word that is not one; empty if all are."""
    words = (word.strip() for word in value.split(","))
    return next((word for word in words if word and word not in (".", "*", "~") and not is_dns_label(word)), "")
