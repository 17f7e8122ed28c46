"""Fields that Istio keeps for old files only."""

from collections.abc import Iterator

from pymesh.control.analysis.analyzed_mesh import AnalyzedMesh
from pymesh.control.analysis.message import Message, report
from pymesh.control.analysis.message_types import DEPRECATED
from pymesh.control.model.kinds import SIDECAR, TELEMETRY, VIRTUAL_SERVICE
from pymesh.control.model.sidecar import Sidecar
from pymesh.control.model.telemetry import Telemetry
from pymesh.control.model.virtual_service import VirtualService


def check_deprecated_fields(mesh: AnalyzedMesh) -> Iterator[Message]:
    for resource in mesh.of(VIRTUAL_SERVICE, VirtualService):
        for index, http in enumerate(resource.spec.http):
            if http.fault is not None and http.fault.delay is not None and http.fault.delay.percent:
                path = f"spec.http[{index}].fault.delay.percent"
                yield report(DEPRECATED, resource.key, path, f"{path} is deprecated; use percentage")
    for sidecar in mesh.of(SIDECAR, Sidecar):
        policy = sidecar.spec.outbound_traffic_policy
        if policy is not None and policy.egress_proxy is not None:
            path = "spec.outboundTrafficPolicy.egressProxy"
            yield report(DEPRECATED, sidecar.key, path, f"{path} has no effect")
    yield from _check_providers(mesh)


def _check_providers(mesh: AnalyzedMesh) -> Iterator[Message]:
    lightstep = {one.name for one in mesh.mesh.extension_providers if one.lightstep is not None}
    for telemetry in mesh.of(TELEMETRY, Telemetry):
        for index, tracing in enumerate(telemetry.spec.tracing):
            for number, provider in enumerate(tracing.providers):
                if provider.name in lightstep:
                    path = f"spec.tracing[{index}].providers[{number}]"
                    text = f"provider {provider.name} is one of Lightstep, which is deprecated; use OpenTelemetry"
                    yield report(DEPRECATED, telemetry.key, path, text)
