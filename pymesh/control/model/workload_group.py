"""WorkloadGroup: what the WorkloadEntries of sidecars that register themselves have in common.

https://istio.io/latest/docs/reference/config/networking/workload-group/
"""

from pymesh.control.model.messages import Message
from pymesh.control.model.workload_entry import WorkloadEntry


class ObjectMeta(Message):
    labels: dict[str, str] = {}
    """Labels that each WorkloadEntry gets."""
    annotations: dict[str, str] = {}
    """Annotations that each WorkloadEntry gets."""


class HTTPHeader(Message):
    name: str = ""
    """Name of the header."""
    value: str = ""
    """Value of the header."""


class HTTPHealthCheckConfig(Message):
    path: str = ""
    """Path of the request."""
    port: int = 0
    """Port of the application; required."""
    host: str = ""
    """Host to connect to; localhost where it is empty."""
    scheme: str = ""
    """HTTP (the default) or HTTPS."""
    http_headers: tuple[HTTPHeader, ...] = ()
    """Headers of the request."""


class TCPHealthCheckConfig(Message):
    host: str = ""
    """Host to connect to; localhost where it is empty."""
    port: int = 0
    """Port of the application; required."""


class ExecHealthCheckConfig(Message):
    command: tuple[str, ...] = ()
    """Command and arguments; exit code 0 means healthy."""


class GrpcHealthCheckConfig(Message):
    port: int = 0
    """Port of the application; required."""
    service: str = ""
    """Name of the service that is asked for."""


class ReadinessProbe(Message):
    """oneof health_check_method: http_get, tcp_socket, exec, grpc. 0 is the default of each number."""

    initial_delay_seconds: int = 0
    """Seconds before the first probe."""
    timeout_seconds: int = 0
    """Seconds after which a probe has failed; default 1."""
    period_seconds: int = 0
    """Seconds between probes; default 10."""
    success_threshold: int = 0
    """Probes in a row that must succeed after a failure; default 1."""
    failure_threshold: int = 0
    """Probes in a row that must fail after a success; default 3."""
    http_get: HTTPHealthCheckConfig | None = None
    """Healthy while a GET is answered with 200..399."""
    tcp_socket: TCPHealthCheckConfig | None = None
    """Healthy while a connection opens."""
    exec: ExecHealthCheckConfig | None = None
    """Healthy while a command exits with 0."""
    grpc: GrpcHealthCheckConfig | None = None
    """Healthy while gRPC's health service says SERVING."""


class WorkloadGroup(Message):
    metadata: ObjectMeta | None = None
    """Metadata of the WorkloadEntries."""
    template: WorkloadEntry | None = None
    """Fields of the WorkloadEntries; required, without an address."""
    probe: ReadinessProbe | None = None
    """How the sidecar finds out whether the application is healthy."""
