"""Telemetries without an effect."""

from collections.abc import Iterator

from pymesh.control.analysis.analyzed_mesh import AnalyzedMesh
from pymesh.control.analysis.message import Message, report
from pymesh.control.analysis.message_types import INVALID_TELEMETRY_PROVIDER
from pymesh.control.model.kinds import TELEMETRY
from pymesh.control.model.telemetry import Telemetry


def check_telemetry_providers(mesh: AnalyzedMesh) -> Iterator[Message]:
    defaults = mesh.mesh.default_providers
    if defaults is not None and defaults.access_logging:
        return
    for resource in mesh.of(TELEMETRY, Telemetry):
        for index, logging in enumerate(resource.spec.access_logging):
            if not logging.providers:
                path = f"spec.accessLogging[{index}]"
                yield report(INVALID_TELEMETRY_PROVIDER, resource.key, path, resource.name, resource.namespace)
