"""Values without the fields that nothing here knows, as Kubernetes prunes what a client sent and no schema has."""

from collections.abc import Iterable
from typing import Any

from pymesh.control.model.scope import Step


def prune(value: Any, unknown: Iterable[tuple[Step, ...]]) -> Any:
    """A copy of `value` without what stands at these places; `value` itself where there are none."""
    for steps in unknown:
        value = _without(value, steps)
    return value


def _without(value: Any, steps: tuple[Step, ...]) -> Any:
    first, *rest = steps
    if not rest:
        return {key: item for key, item in value.items() if key != first}
    copy: Any = list(value) if isinstance(value, list) else dict(value)
    copy[first] = _without(value[first], tuple(rest))
    return copy
