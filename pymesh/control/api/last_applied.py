"""From client-side to server-side apply without a conflict: what kubectl noted when it applied last is its own. Pure.

https://kubernetes.io/docs/reference/using-api/server-side-apply/#upgrading-from-client-side-apply-to-server-side-apply
"""

import json
from typing import Any

from pymesh.control.api.field_set import FieldSet, ObjectShape, flatten
from pymesh.control.api.managed_fields import owned_part
from pymesh.control.model.document import DocumentError, read_json

ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"
MANAGER = "kubectl"  # kubectl apply --server-side, unless it is told otherwise

_Json = dict[str, Any]


def conceded_fields(live: _Json, shape: ObjectShape) -> FieldSet:
    """Fields that stand as the last client-side apply wrote them; empty where there was none."""
    text = live.get("metadata", {}).get("annotations", {}).get(ANNOTATION, "")
    try:
        noted = read_json(text) if text else {}
    except DocumentError:  # somebody else's text: nothing is conceded
        return frozenset()
    if not isinstance(noted, dict) or not isinstance(noted.get("metadata", {}), dict):
        return frozenset()
    stands = flatten(live, shape)
    applied = flatten(owned_part(noted, "", True), shape)
    return frozenset(path for path, value in applied.items() if path in stands and stands[path] == value)


def note_applied(fields: _Json, applied: _Json) -> _Json:
    """The fields with the annotation renewed, if they have it, so that a later client-side apply knows of this one."""
    metadata = fields.get("metadata", {})
    annotations = metadata.get("annotations")
    if not isinstance(annotations, dict) or ANNOTATION not in annotations:
        return fields
    noted = json.dumps(applied, separators=(",", ":"), ensure_ascii=False) + "\n"
    return {**fields, "metadata": {**metadata, "annotations": {**annotations, ANNOTATION: noted}}}
