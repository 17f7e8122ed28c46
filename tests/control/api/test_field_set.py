from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pymesh.control.api.field_set import (
    CONTAINER,
    ObjectShape,
    compare,
    decode_field_set,
    encode_field_set,
    flatten,
    shape_of,
    stated_fields,
)

PLAIN = ObjectShape()
SERVICE = {"spec": {"ports": [{"port": 80, "name": "http"}], "selector": {"app": "web"}}}
PORT = ("f:spec", "f:ports", 'k:{"port":80,"protocol":"TCP"}')


def test_a_list_is_one_value() -> None:
    flat = flatten({"spec": {"hosts": ["a", "b"], "match": {}}}, PLAIN)
    assert flat == {("f:spec",): CONTAINER, ("f:spec", "f:hosts"): ["a", "b"], ("f:spec", "f:match"): {}}


def test_items_of_a_list_with_keys_have_paths_of_their_own() -> None:
    flat = flatten(SERVICE, shape_of("Service"))
    assert flat[(*PORT, "f:name")] == "http"
    assert flat[("f:spec", "f:selector")] == {"app": "web"}  # Kubernetes: mapType=atomic


def test_who_states_a_field_does_not_own_what_it_is_in() -> None:
    assert stated_fields(SERVICE, shape_of("Service")) == {
        PORT,
        (*PORT, "f:port"),
        (*PORT, "f:name"),
        ("f:spec", "f:selector"),
    }


def test_a_field_set_is_written_as_a_tree() -> None:
    fields = {("f:metadata", "f:labels"), ("f:metadata", "f:labels", "f:app"), ("f:spec", "f:hosts")}
    tree = {"f:metadata": {"f:labels": {".": {}, "f:app": {}}}, "f:spec": {"f:hosts": {}}}
    assert encode_field_set(fields) == tree
    assert decode_field_set(tree) == fields


def test_keys_are_the_same_in_any_order() -> None:
    tree = {"f:ports": {'k:{"protocol":"TCP", "port":80}': {".": {}}}}
    assert decode_field_set(tree) == {("f:ports", 'k:{"port":80,"protocol":"TCP"}')}


@pytest.mark.parametrize("tree", [[], {"f:a": 1}, {"a": {}}, {"k:x": {}}])
def test_what_is_no_tree_is_refused(tree: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_field_set(tree)


@given(st.frozensets(st.lists(st.from_regex(r"\Af:[a-z]{1,2}\Z"), min_size=1, max_size=4).map(tuple)))
def test_every_field_set_survives_the_tree(fields: frozenset[tuple[str, ...]]) -> None:
    assert decode_field_set(encode_field_set(fields)) == fields


def test_a_difference_has_what_came_what_changed_and_what_went() -> None:
    old, new = flatten({"a": 1, "b": {"c": 2}}, PLAIN), flatten({"a": 2, "d": {"e": 3}}, PLAIN)
    changed, removed = compare(old, new)
    assert changed == {("f:a",), ("f:d",), ("f:d", "f:e")}
    assert removed == {("f:b",), ("f:b", "f:c")}
