"""Client-side apply: the file, what was applied last, and what is there make a JSON merge patch. Pure.

The object's own annotation says what was applied last. It is kubectl's, so that both tools go on where the other was.
https://kubernetes.io/docs/tasks/manage-kubernetes-objects/declarative-config/#how-apply-calculates-differences-and-merges-changes
"""

import json
from typing import Any

ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"

_Json = dict[str, Any]


def with_note(fields: _Json) -> _Json:
    """The object as it is sent: with the annotation of itself."""
    metadata = fields["metadata"]
    annotations = {key: value for key, value in _map(metadata.get("annotations")).items() if key != ANNOTATION}
    noted = {**fields, "metadata": {**metadata, "annotations": annotations}}
    text = json.dumps(noted, separators=(",", ":"), ensure_ascii=False, sort_keys=True) + "\n"
    return {**fields, "metadata": {**metadata, "annotations": annotations | {ANNOTATION: text}}}


def build_patch(live: _Json, wanted: _Json) -> _Json:
    """What makes `live` into `wanted`, and removes what was applied last and is no longer wanted. The rest stays."""
    return _patch(live, wanted, _last_applied(live))


def _patch(live: _Json, wanted: _Json, last: _Json) -> _Json:
    patch: _Json = {key: None for key in last if key not in wanted and key in live}
    for key, value in wanted.items():
        if isinstance(value, dict) and isinstance(live.get(key), dict):
            part = _patch(live[key], value, _map(last.get(key)))
            patch |= {key: part} if part else {}
        elif key not in live or live[key] != value:
            patch[key] = value
    return patch


def _last_applied(live: _Json) -> _Json:
    """Empty where nobody has applied it, or where the note is somebody else's text."""
    text = _map(live["metadata"].get("annotations")).get(ANNOTATION)
    try:
        return _map(json.loads(text)) if text else {}
    except ValueError:
        return {}


def _map(value: Any) -> _Json:
    return value if isinstance(value, dict) else {}
