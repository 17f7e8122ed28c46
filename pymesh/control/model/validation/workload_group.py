"""Rules of a WorkloadGroup. Istio: ValidateWorkloadGroup in pkg/config/validation."""

from pymesh.control.model.resource import Metadata
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.control.model.validation.workload_entry import check_endpoint_fields
from pymesh.control.model.workload_group import HTTPHealthCheckConfig, ReadinessProbe, WorkloadGroup

_LARGEST_METADATA = 256


def check_workload_group(spec: WorkloadGroup, metadata: Metadata, at: Scope) -> None:
    if spec.template is None:
        at["template"].fail("is required")
    else:
        check_endpoint_fields(spec.template, at["template"])
        if spec.template.address:
            at["template"]["address"].warn("has no effect: it is the workload's own")
        if spec.template.ports:
            at["template"]["ports"].warn("has no effect: a sidecar's application has one port, that of --app-port")
    if spec.metadata is not None:
        syntax.check_labels(spec.metadata.labels, at["metadata"]["labels"])
        for name, entries in (("labels", spec.metadata.labels), ("annotations", spec.metadata.annotations)):
            at["metadata"][name].require(len(entries) <= _LARGEST_METADATA, f"must be {_LARGEST_METADATA} at most")
    if spec.probe is not None:
        _check_probe(spec.probe, at["probe"])


def _check_probe(probe: ReadinessProbe, at: Scope) -> None:
    numbers = {
        "initialDelaySeconds": probe.initial_delay_seconds,
        "timeoutSeconds": probe.timeout_seconds,
        "periodSeconds": probe.period_seconds,
        "successThreshold": probe.success_threshold,
        "failureThreshold": probe.failure_threshold,
    }
    for name, number in numbers.items():
        syntax.check_not_negative(number, at[name])
    methods = {"httpGet": probe.http_get, "tcpSocket": probe.tcp_socket, "exec": probe.exec, "grpc": probe.grpc}
    chosen = [name for name, value in methods.items() if value is not None]
    at.require(len(chosen) == 1, f"must have exactly one of {', '.join(methods)}")
    if probe.http_get is not None:
        _check_http_get(probe.http_get, at["httpGet"])
    if probe.tcp_socket is not None:
        syntax.check_port(probe.tcp_socket.port, at["tcpSocket"]["port"])
    if probe.grpc is not None:
        syntax.check_port(probe.grpc.port, at["grpc"]["port"])
    if probe.exec is not None:
        at["exec"]["command"].require(probe.exec.command and all(probe.exec.command), "is required")


def _check_http_get(http_get: HTTPHealthCheckConfig, at: Scope) -> None:
    syntax.check_port(http_get.port, at["port"])
    is_scheme = http_get.scheme in ("", "HTTP", "HTTPS")
    at["scheme"].require(is_scheme, f"must be HTTP or HTTPS, not {http_get.scheme!r}")
    for index, header in enumerate(http_get.http_headers):
        syntax.check_plain_header_name(header.name, at["httpHeaders"][index]["name"])
