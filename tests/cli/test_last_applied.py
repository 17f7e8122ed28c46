from typing import Any

import pytest

from pymesh.cli.last_applied import ANNOTATION, build_patch, with_note


def applied(**fields: Any) -> dict[str, Any]:
    return with_note({"metadata": {"name": "a"}, **fields})


@pytest.mark.parametrize(
    ("before", "others", "wanted", "patch"),
    [
        ({"spec": {"a": 1}}, {}, {"spec": {"a": 1}}, {}),
        ({"spec": {"a": 1, "b": 1}}, {}, {"spec": {"b": 2}}, {"spec": {"a": None, "b": 2}}),
        ({"spec": {"a": 1}}, {"c": 3}, {"spec": {"b": 2}}, {"spec": {"a": None, "b": 2}}),
        ({"spec": {"a": {"x": 1}}}, {}, {"spec": {"a": 5}}, {"spec": {"a": 5}}),
        ({"spec": {"a": [1]}}, {}, {"spec": {"a": [1, 2]}}, {"spec": {"a": [1, 2]}}),
    ],
)
def test_patch_removes_what_was_applied_and_leaves_what_others_wrote(
    before: dict[str, Any], others: dict[str, Any], wanted: dict[str, Any], patch: dict[str, Any]
) -> None:
    live = applied(**before)
    live["spec"] = live["spec"] | others
    found = build_patch(live, applied(**wanted))
    found.pop("metadata", None)  # the note
    assert found == patch


def test_note_says_what_is_applied_without_itself() -> None:
    noted = with_note(applied(spec={"b": 1, "a": 2}))
    text = noted["metadata"]["annotations"][ANNOTATION]
    assert text == '{"metadata":{"annotations":{},"name":"a"},"spec":{"a":2,"b":1}}\n'


@pytest.mark.parametrize("text", ["", "not JSON", "[]"])
def test_somebody_elses_note_removes_nothing(text: str) -> None:
    live = {"metadata": {"name": "a", "annotations": {ANNOTATION: text}}, "spec": {"a": 1}}
    assert build_patch(live, {"metadata": {"name": "a"}, "spec": {"b": 1}}) == {"spec": {"b": 1}}
