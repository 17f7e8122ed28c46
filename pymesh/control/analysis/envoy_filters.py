"""EnvoyFilters whose operations do not fit what they are applied to, or whose order is not certain."""

from collections.abc import Iterator
from typing import Any

from pymesh.control.analysis.analyzed_mesh import AnalyzedMesh
from pymesh.control.analysis.message import Message, MessageType, report
from pymesh.control.analysis.message_types import (
    ENVOY_FILTER_USES_ADD_OPERATION_INCORRECTLY,
    ENVOY_FILTER_USES_RELATIVE_OPERATION,
    ENVOY_FILTER_USES_RELATIVE_OPERATION_WITH_PROXY_VERSION,
    ENVOY_FILTER_USES_REMOVE_OPERATION_INCORRECTLY,
    ENVOY_FILTER_USES_REPLACE_OPERATION_INCORRECTLY,
)
from pymesh.control.model.envoy_filter import EnvoyConfigObjectPatch, EnvoyFilter
from pymesh.control.model.kinds import ENVOY_FILTER

_ROUTES = ("ROUTE_CONFIGURATION", "HTTP_ROUTE")
_FILTERS = ("NETWORK_FILTER", "HTTP_FILTER")
_RELATIVE = ("REMOVE", "REPLACE", "INSERT_BEFORE", "INSERT_AFTER")


def check_envoy_patches(mesh: AnalyzedMesh) -> Iterator[Message]:
    versioned: set[str] = set()  # the filters of patches before that are for some proxy versions only
    for resource in mesh.of(ENVOY_FILTER, EnvoyFilter):
        for index, patch in enumerate(resource.spec.config_patches):
            name = _filter_name(patch)
            found = _problem(patch, resource.spec.priority, name in versioned)
            if found is not None:
                yield report(found, resource.key, f"spec.configPatches[{index}]")
            if patch.match is not None and patch.match.proxy.get("proxyVersion"):
                versioned.add(name)


def _problem(patch: EnvoyConfigObjectPatch, priority: int, is_versioned: bool) -> MessageType | None:
    operation = patch.patch.operation if patch.patch is not None else "INVALID"
    if operation == "ADD" and patch.apply_to in _ROUTES:
        return ENVOY_FILTER_USES_ADD_OPERATION_INCORRECTLY
    if operation == "REMOVE" and patch.apply_to in _ROUTES:
        return ENVOY_FILTER_USES_REMOVE_OPERATION_INCORRECTLY
    if operation == "REPLACE" and patch.apply_to not in _FILTERS:
        return ENVOY_FILTER_USES_REPLACE_OPERATION_INCORRECTLY
    if operation not in _RELATIVE or priority:
        return None
    if is_versioned:
        return ENVOY_FILTER_USES_RELATIVE_OPERATION_WITH_PROXY_VERSION
    return ENVOY_FILTER_USES_RELATIVE_OPERATION


def _filter_name(patch: EnvoyConfigObjectPatch) -> str:
    """The filter that the patch makes, or the one that it looks for."""
    if patch.patch is not None and isinstance(patch.patch.value.get("name"), str):
        return str(patch.patch.value["name"])
    found: Any = patch.match.listener if patch.match is not None else None
    for step in ("filterChain", "filter", "name"):
        found = found.get(step) if isinstance(found, dict) else None
    return str(found or "")
