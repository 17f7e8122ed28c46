"""ServiceEntries whose TCP ports nothing tells from those of others, and those that contradict each other."""

from collections.abc import Iterator
from typing import NamedTuple

from pymesh.control.analysis.analyzed_mesh import AnalyzedMesh
from pymesh.control.analysis.message import Message, report
from pymesh.control.analysis.message_types import CONFLICTING_SERVICE_ENTRY_PROTOCOL, SERVICE_ENTRY_ADDRESSES_REQUIRED
from pymesh.control.model.kinds import SERVICE_ENTRY
from pymesh.control.model.resource import Key
from pymesh.control.model.service_entry import ServiceEntry
from pymesh.control.snapshot.visibility import Visibility, visibility

_ALLOCATES = ("ISTIO_META_DNS_CAPTURE", "ISTIO_META_DNS_AUTO_ALLOCATE")


def check_addresses(mesh: AnalyzedMesh) -> Iterator[Message]:
    settings = mesh.mesh.default_config.proxy_metadata
    if all(settings.get(name) == "true" for name in _ALLOCATES):
        return
    for resource in mesh.of(SERVICE_ENTRY, ServiceEntry):
        for index, port in enumerate(resource.spec.ports if not resource.spec.addresses else ()):
            if port.protocol.upper() in ("", "TCP"):
                yield report(SERVICE_ENTRY_ADDRESSES_REQUIRED, resource.key, f"spec.ports[{index}]")


class _Claim(NamedTuple):
    """What one ServiceEntry says of one port of a host."""

    key: Key
    path: str
    protocol: str
    visibility: Visibility


def check_protocols(mesh: AnalyzedMesh) -> Iterator[Message]:
    """Where nobody sees both, there is no conflict."""
    for (host, number), claims in sorted(_claims(mesh).items()):
        for one in claims:
            other = next((item for item in claims if _contradicts(one, item)), None)
            if other is not None:
                words = (number, host, one.protocol or "none", f"{other.key.namespace}/{other.key.name}")
                yield report(CONFLICTING_SERVICE_ENTRY_PROTOCOL, one.key, one.path, *words)


def _claims(mesh: AnalyzedMesh) -> dict[tuple[str, int], list[_Claim]]:
    found: dict[tuple[str, int], list[_Claim]] = {}
    for resource in mesh.of(SERVICE_ENTRY, ServiceEntry):
        seen = visibility(resource.spec.export_to, mesh.mesh.default_service_export_to, resource.namespace)
        for index, port in enumerate(resource.spec.ports):
            claim = _Claim(resource.key, f"spec.ports[{index}].protocol", port.protocol.upper(), seen)
            for host in dict.fromkeys(host.lower() for host in resource.spec.hosts):
                found.setdefault((host, port.number), []).append(claim)
    return found


def _contradicts(one: _Claim, other: _Claim) -> bool:
    return one.key != other.key and one.protocol != other.protocol and one.visibility.is_shared_with(other.visibility)
