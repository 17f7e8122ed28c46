"""Merge patch, JSON patch and strategic merge patch."""

import copy
from typing import Any

import pytest

from pymesh.control.api.json_patch import apply_json_patch
from pymesh.control.api.merge_patch import apply_merge_patch
from pymesh.control.api.status import RequestError
from pymesh.control.api.strategic_merge_patch import apply_strategic_merge_patch

HTTP = {"port": 80, "name": "http"}
TLS = {"port": 443, "name": "tls"}


@pytest.mark.parametrize(
    ("target", "patch", "patched"),
    [  # RFC 7386, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ({"a": "foo"}, "bar", "bar"),
    ],
)
def test_merge_patch(target: Any, patch: Any, patched: Any) -> None:
    assert apply_merge_patch(target, patch) == patched


@pytest.mark.parametrize(
    ("target", "patch", "patched"),
    [  # RFC 6902, appendix A
        ({"a": 1}, [{"op": "add", "path": "/b", "value": 2}], {"a": 1, "b": 2}),
        ({"a": [1, 3]}, [{"op": "add", "path": "/a/1", "value": 2}], {"a": [1, 2, 3]}),
        ({"a": [1]}, [{"op": "add", "path": "/a/-", "value": 2}], {"a": [1, 2]}),
        ({"a": [1, 2]}, [{"op": "remove", "path": "/a/0"}], {"a": [2]}),
        ({"a": {"b": 1}}, [{"op": "replace", "path": "/a/b", "value": None}], {"a": {"b": None}}),
        ({"a": {"b": 1}, "c": {}}, [{"op": "move", "from": "/a/b", "path": "/c/d"}], {"a": {}, "c": {"d": 1}}),
        ({"a": [1, 2, 3]}, [{"op": "move", "from": "/a/0", "path": "/a/2"}], {"a": [2, 3, 1]}),
        ({"a": [1]}, [{"op": "copy", "from": "/a", "path": "/b"}], {"a": [1], "b": [1]}),
        ({"a/b": {"~c": 1}}, [{"op": "test", "path": "/a~1b/~0c", "value": 1}], {"a/b": {"~c": 1}}),
        ({"a": 1}, [{"op": "replace", "path": "", "value": {"b": 2}}], {"b": 2}),
        ({"": 1}, [{"op": "remove", "path": "/"}], {}),
    ],
)
def test_json_patch(target: Any, patch: Any, patched: Any) -> None:
    before = copy.deepcopy(target)
    assert apply_json_patch(target, patch) == patched
    assert target == before


@pytest.mark.parametrize(
    ("patch", "code"),
    [
        ({}, 400),
        ([{"op": "destroy", "path": "/a"}], 400),
        ([{"op": "add", "path": "a", "value": 1}], 400),
        ([{"op": "add", "path": "/a"}], 400),
        ([{"op": "move", "path": "/a"}], 400),
        ([{"op": "remove", "path": "/x"}], 422),
        ([{"op": "replace", "path": "/x", "value": 1}], 422),
        ([{"op": "add", "path": "/x/y", "value": 1}], 422),
        ([{"op": "add", "path": "/list/3", "value": 1}], 422),
        ([{"op": "remove", "path": "/list/-"}], 422),
        ([{"op": "remove", "path": "/list/01"}], 422),
        ([{"op": "add", "path": "/text/a", "value": 1}], 422),
        ([{"op": "test", "path": "/text", "value": "u"}], 422),
        ([{"op": "move", "from": "/list", "path": "/list/0"}], 422),
    ],
)
def test_a_json_patch_that_cannot_be_done_is_refused(patch: Any, code: int) -> None:
    with pytest.raises(RequestError) as caught:
        apply_json_patch({"text": "t", "list": [1, 2]}, patch)
    assert caught.value.code == code


def strategic(ports: Any, patch: Any) -> Any:
    patched = apply_strategic_merge_patch({"spec": {"ports": ports}}, {"spec": patch}, "Service")
    return patched["spec"].get("ports")


def test_items_are_merged_by_their_key() -> None:
    assert strategic([HTTP, TLS], {"ports": [{"port": 443, "name": "https"}]}) == [HTTP, {"port": 443, "name": "https"}]
    assert strategic([HTTP], {"ports": [TLS]}) == [HTTP, TLS]


def test_the_directives_of_a_strategic_merge_patch() -> None:
    assert strategic([HTTP, TLS], {"ports": [{"port": 80, "$patch": "delete"}]}) == [TLS]
    assert strategic([HTTP], {"ports": [TLS, {"$patch": "replace"}]}) == [TLS]
    ordered = {"$setElementOrder/ports": [{"port": 443}, {"port": 80}], "ports": []}
    assert strategic([HTTP, TLS], ordered) == [TLS, HTTP]
    assert strategic([HTTP], {"$patch": "replace", "type": "ClusterIP"}) is None
    assert strategic([HTTP], {"$retainKeys": ["type"], "type": "ClusterIP"}) is None
    values = apply_strategic_merge_patch({"a": [1, 2, 3]}, {"$deleteFromPrimitiveList/a": [2]}, "ConfigMap")
    assert values == {"a": [1, 3]}


def test_lists_without_keys_and_maps_as_in_a_merge_patch() -> None:
    target = {"data": {"a": "1", "b": "2"}, "list": [1, 2]}
    patched = apply_strategic_merge_patch(target, {"data": {"a": None, "c": "3"}, "list": [3]}, "ConfigMap")
    assert patched == {"data": {"b": "2", "c": "3"}, "list": [3]}


@pytest.mark.parametrize("patch", [{"ports": [{"name": "x"}]}, {"ports": ["x"]}, {"$patch": "explode"}])
def test_a_contradictory_strategic_merge_patch_is_refused(patch: Any) -> None:
    with pytest.raises(RequestError):
        strategic([HTTP], patch)


def test_a_strategic_merge_patch_is_an_object() -> None:
    with pytest.raises(RequestError):
        apply_strategic_merge_patch({}, [], "Service")
