"""What Telemetry and MeshConfig say of the traffic of a listener, as a terminal filter needs it."""

from typing import Any, NamedTuple

from pymesh.control.snapshot.access_logging import Mode
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.access_log import build_access_log


class ListenerTelemetry(NamedTuple):
    """`sampling`: percent of the traces beginning there whose spans are sent."""

    sampling: float
    access_log: list[dict[str, Any]]


def listener_telemetry(view: ProxyView, mode: Mode) -> ListenerTelemetry:
    return ListenerTelemetry(view.sampling(mode), build_access_log(view, mode))
