"""ServiceEntries whose TCP ports nothing tells from those of others."""

from collections.abc import Iterator

from pymesh.control.analysis.analyzed_mesh import AnalyzedMesh
from pymesh.control.analysis.message import Message, report
from pymesh.control.analysis.message_types import SERVICE_ENTRY_ADDRESSES_REQUIRED
from pymesh.control.model.kinds import SERVICE_ENTRY
from pymesh.control.model.service_entry import ServiceEntry

_ALLOCATES = ("ISTIO_META_DNS_CAPTURE", "ISTIO_META_DNS_AUTO_ALLOCATE")


def check_addresses(mesh: AnalyzedMesh) -> Iterator[Message]:
    settings = mesh.mesh.default_config.proxy_metadata
    if all(settings.get(name) == "true" for name in _ALLOCATES):
        return
    for resource in mesh.of(SERVICE_ENTRY, ServiceEntry):
        for index, port in enumerate(resource.spec.ports if not resource.spec.addresses else ()):
            if port.protocol.upper() in ("", "TCP"):
                yield report(SERVICE_ENTRY_ADDRESSES_REQUIRED, resource.key, f"spec.ports[{index}]")
