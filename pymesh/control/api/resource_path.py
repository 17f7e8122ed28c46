"""Paths below /api and /apis: which resource, in which namespace, which object and which part of it. Pure.

https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
"""

from typing import NamedTuple

# Parts of a Namespace; everything else below `namespaces/<name>/` is a resource in it.
_NAMESPACE_PARTS = ("status", "finalize")


class ResourcePath(NamedTuple):
    """`group` is empty for the core group; `namespace` None: of all of them, or outside of any; `name` empty: the
    collection."""

    group: str
    version: str
    namespace: str | None
    plural: str
    name: str = ""
    subresource: str = ""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


def parse_resource_path(path: str) -> ResourcePath | None:
    """None where the path is not that of a resource."""
    root, *rest = path.strip("/").split("/")
    group_length = {"api": 0, "apis": 1}.get(root, -1)
    if group_length < 0 or len(rest) < group_length + 2 or not all(rest):
        return None
    group, (version, *steps) = "".join(rest[:group_length]), rest[group_length:]
    namespace = None
    if len(steps) >= 3 and steps[0] == "namespaces" and steps[2] not in _NAMESPACE_PARTS:
        namespace, steps = steps[1], steps[2:]
    return ResourcePath(group, version, namespace, *steps) if len(steps) <= 3 else None
