"""What Telemetry and MeshConfig say of the traffic of a listener, as a terminal filter needs it."""

from typing import Any, NamedTuple

from pymesh.control.snapshot.access_logging import Mode
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.access_log import build_access_log
from pymesh.control.translate.tracing import build_tracing


class ListenerTelemetry(NamedTuple):
    """Fields of a terminal filter; those of TCP have no traces."""

    tracing: dict[str, Any]
    access_log: list[dict[str, Any]]
    samples_by_request_id: bool = False


def listener_telemetry(view: ProxyView, mode: Mode) -> ListenerTelemetry:
    by_request_id = bool(view.tracing(mode).samples_by_request_id)
    return ListenerTelemetry(build_tracing(view, mode), build_access_log(view, mode), by_request_id)
