"""Values without the fields that nothing here knows, as Kubernetes prunes what a client sent and no schema has."""

from collections.abc import Iterable
from typing import Any

from pymesh.control.model.scope import Step

_Tree = dict[Step, Any]  # of trees


def prune(value: Any, unknown: Iterable[tuple[Step, ...]]) -> Any:
    """A copy of `value` without what stands at these places; `value` itself where there are none."""
    dropped: _Tree = {}
    for *steps, last in unknown:
        inner = dropped
        for step in steps:
            inner = inner.setdefault(step, {})
        inner[last] = {}
    return _without(value, dropped) if dropped else value


def _without(value: Any, dropped: _Tree) -> Any:
    if isinstance(value, list):
        return [_without(item, dropped[index]) if index in dropped else item for index, item in enumerate(value)]
    # What has nothing below it in the tree goes itself; unknown fields are members of maps.
    kept = ((key, item) for key, item in value.items() if dropped.get(key) != {})
    return {key: _without(item, dropped[key]) if key in dropped else item for key, item in kept}
