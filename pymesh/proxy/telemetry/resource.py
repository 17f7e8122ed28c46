"""Who sends spans and metrics, in OTLP's words."""

from collections.abc import Iterable
from typing import Any

from pymesh import __version__, otlp
from pymesh.proxy.telemetry.workload import Workload

SCOPE = otlp.InstrumentationScope(name="pymesh", version=__version__)


def key_values(pairs: Iterable[tuple[str, str]]) -> list[Any]:
    return [otlp.KeyValue(key=key, value=otlp.AnyValue(string_value=value)) for key, value in pairs]


def resource_of(workload: Workload, node_id: str) -> Any:
    """`service.name` is `<service>.<namespace>`, as Istio names a workload in traces."""
    attributes = {
        "service.name": f"{workload.service}.{workload.namespace}",
        "service.namespace": workload.namespace,
        "service.version": workload.revision,
        "service.instance.id": node_id,
        "istio.workload": workload.name,
    }
    return otlp.Resource(attributes=key_values(attributes.items()))


def nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
