"""Conditions of objects that say that something is not as it should be."""

from collections.abc import Iterator

from pymesh.control.analysis.analyzed_mesh import AnalyzedMesh
from pymesh.control.analysis.message import Message, report
from pymesh.control.analysis.message_types import NEGATIVE_CONDITION_STATUS


def check_conditions(mesh: AnalyzedMesh) -> Iterator[Message]:
    for key, resource in mesh.resources.items():
        conditions = resource.status.get("conditions")
        for index, condition in enumerate(conditions if isinstance(conditions, list) else ()):
            if isinstance(condition, dict) and condition.get("status") == "False":
                words = (condition.get(name) or "" for name in ("type", "reason", "message"))
                yield report(NEGATIVE_CONDITION_STATUS, key, f"status.conditions[{index}]", *words)
