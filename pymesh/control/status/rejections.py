"""From what a proxy refused back to the objects that it was made of. Pure.

Routes, clusters and listeners say in their metadata of which object they are: `filter_metadata.istio.config`, a path
`/apis/<group>/<version>/namespaces/<namespace>/<kind>/<name>` with the kind in kebab case, as Istio's do.
"""

import re
from collections.abc import Iterator
from typing import Any

from pymesh.control.model.kinds import KINDS
from pymesh.control.model.resource import Key
from pymesh.control.xds.content import Content
from pymesh.control.xds.status import ProxyStatus
from pymesh.xds import SHORT_NAMES

_STEP = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)|\[(\d+)\]")
_KIND_NAMES = {re.sub(r"(?<!^)(?=[A-Z])", "-", kind.name).lower(): kind.name for kind in KINDS}


def rejections_of(proxy: ProxyStatus, content: Content) -> Iterator[tuple[Key, str]]:
    """The objects of which the proxy has refused something, and what it says."""
    for type_url, resources in content.items():
        status = proxy.types.get(SHORT_NAMES.get(type_url, ""))
        if status is None or status.status != "REJECTED":
            continue
        for complaint in status.reason.split("; "):
            name, _, reason = complaint.partition(": ")
            if name in resources:
                path = reason.partition(": ")[0]
                for key in _origins(resources[name].resource, path):
                    yield key, f"{proxy.proxy} rejected {complaint}"


def _origins(resource: Any, path: str) -> set[Key]:
    """Of the innermost part on the path that has an origin; else of all that is in the resource."""
    innermost = _origin(resource)
    part = resource
    for name, index in _STEP.findall(path):
        try:
            part = part[name or int(index)]
        except (KeyError, IndexError, TypeError):
            break
        innermost = _origin(part) or innermost
    return {innermost} if innermost is not None else set(_all_origins(resource))


def _all_origins(part: Any) -> Iterator[Key]:
    origin = _origin(part)
    if origin is not None:
        yield origin
    for child in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _all_origins(child)


def _origin(part: Any) -> Key | None:
    metadata = part.get("metadata") if isinstance(part, dict) else None
    config = (
        metadata.get("filter_metadata", {}).get("istio", {}).get("config", "") if isinstance(metadata, dict) else ""
    )
    steps = config.split("/")
    if len(steps) != 8 or steps[6] not in _KIND_NAMES:
        return None
    return Key(_KIND_NAMES[steps[6]], steps[5], steps[7])
