"""A WorkloadGroup's probe, as the sidecar is told it."""

from pymesh import xds
from pymesh.control.model.workload_group import HTTPHealthCheckConfig, ReadinessProbe


def build_probe(probe: ReadinessProbe) -> xds.ReadinessProbe:
    """Defaults: Istio's, fillInDefaults in pkg/istio-agent/health."""
    target = probe.http_get or probe.tcp_socket
    address = target or probe.grpc
    return xds.ReadinessProbe(
        port=address.port if address is not None else 0,
        host=target.host if target is not None else "",
        http=_build_http(probe.http_get) if probe.http_get is not None else None,
        command=probe.exec.command if probe.exec is not None else (),
        initial_delay=probe.initial_delay_seconds,
        timeout=probe.timeout_seconds or 1,
        period=probe.period_seconds or 10,
        success_threshold=probe.success_threshold or 1,
        failure_threshold=probe.failure_threshold or 3,
        grpc_service=probe.grpc.service if probe.grpc is not None else None,
    )


def _build_http(told: HTTPHealthCheckConfig) -> xds.HttpProbe:
    path = told.path if told.path.startswith("/") else f"/{told.path}"
    headers = tuple((header.name.lower(), header.value) for header in told.http_headers)
    return xds.HttpProbe(path, (told.scheme or "HTTP").lower(), headers)
