"""Which rule of which object made a route or a filter chain, as its metadata says it."""

from typing import Any

from pymesh.control.model.kinds import VIRTUAL_SERVICE
from pymesh.control.model.resource import Key
from pymesh.names import ISTIO_METADATA


def rule_metadata(root: Key, where: str, delegate: Key | None = None) -> dict[str, Any]:
    """The VirtualService, as Istio says it, and `where` in its spec, or in that of the delegate, the rule stands:
    `http[0].match[1]`."""
    found = {"config": _path(root), "rule": where}
    if delegate is not None and delegate != root:
        found["delegate"] = _path(delegate)
    return {"filter_metadata": {ISTIO_METADATA: found}}


def _path(key: Key) -> str:
    return f"/apis/{VIRTUAL_SERVICE.api_version}/namespaces/{key.namespace}/virtual-service/{key.name}"
