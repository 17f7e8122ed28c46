"""What a proxy's metrics tell of the control plane: configuration, certificate, telemetry. Read at a scrape."""

import math
import time

from pymesh.proxy.telemetry.exporters import MetricsExporter
from pymesh.proxy.telemetry.metric_names import (
    CERT_EXPIRY,
    CONFIG_REJECTED,
    CONFIG_UPDATES,
    CONTROL_CONNECTED,
    METRICS_DROPPED,
)
from pymesh.proxy.telemetry.proxy_metrics import ProxyMetrics
from pymesh.proxy.tls.workload_certificate import WorkloadIdentity
from pymesh.proxy.xds.client import XdsClient
from pymesh.proxy.xds.runtime import Runtime


def register_control_metrics(
    metrics: ProxyMetrics, runtime: Runtime, xds: XdsClient, identity: WorkloadIdentity, exporter: MetricsExporter
) -> None:
    metrics.read(CONFIG_UPDATES, lambda: runtime.updates)
    metrics.read(CONFIG_REJECTED, lambda: runtime.rejections)
    metrics.read(CONTROL_CONNECTED, lambda: xds.is_connected)
    metrics.read(METRICS_DROPPED, lambda: exporter.failures)
    metrics.read(CERT_EXPIRY, lambda: _seconds_left(identity))


def _seconds_left(identity: WorkloadIdentity) -> float:
    """Below zero once it has expired; not a number while there is none."""
    return math.nan if identity.not_after is None else identity.not_after - time.time()
