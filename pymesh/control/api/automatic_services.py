"""The Services that the registry puts where nobody declared one. Who writes one by the API has declared it: from then
on it is his, and what the registry had put there does not stand in the way of what he declares. Pure.
"""

from typing import Any

import msgspec

from pymesh.control.model.resource import Resource
from pymesh.control.registry.workload import is_automatic
from pymesh.names import MANAGED_BY_LABEL, MANAGED_BY_REGISTRY

_Json = dict[str, Any]

_PORT_ORDER = "$setElementOrder/ports"


def declare(resource: Resource[Any]) -> Resource[Any]:
    """The same, no longer the registry's."""
    if not is_automatic(resource):
        return resource
    labels = {key: value for key, value in resource.metadata.labels.items() if key != MANAGED_BY_LABEL}
    return msgspec.structs.replace(resource, metadata=msgspec.structs.replace(resource.metadata, labels=labels))


def without_automatic_ports(before: _Json, patched: Any, patch: _Json) -> Any:
    """Of an automatic Service, what a strategic merge patch declares: kubectl apply lists all the ports that its file
    has, and those that it does not list are the registry's."""
    labels = before["metadata"].get("labels", {})
    spec, patch_spec = (value.get("spec") if isinstance(value, dict) else None for value in (patched, patch))
    order = patch_spec.get(_PORT_ORDER) if isinstance(patch_spec, dict) else None
    is_registrys = labels.get(MANAGED_BY_LABEL) == MANAGED_BY_REGISTRY
    if not is_registrys or not isinstance(order, list) or not isinstance(spec, dict):
        return patched
    declared = [one.get("port") for one in order if isinstance(one, dict)]
    ports = [port for port in spec.get("ports", ()) if port.get("port") in declared]
    return {**patched, "spec": {**spec, "ports": ports}}
