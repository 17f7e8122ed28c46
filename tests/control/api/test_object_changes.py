"""Whatever a client sends becomes a valid object or an error that says why."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pymesh.control.api.api_resources import resource_at
from pymesh.control.api.json_patch import apply_json_patch
from pymesh.control.api.merge_patch import apply_merge_patch
from pymesh.control.api.object_changes import Request, apply_to, change_to, encode_json
from pymesh.control.api.request_options import WriteOptions
from pymesh.control.api.resource_path import ResourcePath
from pymesh.control.api.status import RequestError, failure
from pymesh.control.api.strategic_merge_patch import apply_strategic_merge_patch
from pymesh.control.api.target import Target
from pymesh.control.model.resource import Resource
from pymesh.errors import PymeshError

SERVICE = resource_at("", "v1", "services")
assert SERVICE is not None
TARGET = Target(SERVICE, ResourcePath("", "v1", "shop", "services", "web"))
FIELDS = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "labels": {"app": "web"}, "annotations": {"a": "b"}},
    "spec": {"ports": [{"port": 80, "name": "http"}], "selector": {"app": "web"}},
}

# Names that mean something, in places where they may mean nothing.
NAMES = st.sampled_from(
    [
        *("apiVersion", "kind", "metadata", "spec", "status", "name", "namespace", "labels", "annotations"),
        *("managedFields", "resourceVersion", "fieldsV1", "f:spec", "k:{}", "ports", "port", "protocol", "selector"),
        *("$patch", "$retainKeys", "$setElementOrder/ports", "$deleteFromPrimitiveList/ports"),
        "kubectl.kubernetes.io/last-applied-configuration",
    ]
)
SCALARS = st.sampled_from(
    [None, True, 0, 80, -1.5, "", "web", "shop", "Service", "v1", "delete", "replace", "[[", "{}"]
)
VALUES = st.recursive(SCALARS, lambda children: st.lists(children, max_size=3) | st.dictionaries(NAMES, children))
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=5)


def request(manager: str = "kubectl", force: bool = False) -> Request:
    return Request(TARGET, WriteOptions(manager, False, "Warn", force), "t1")


@pytest.fixture(scope="module")
def stored() -> Resource[Any]:
    return change_to(None, FIELDS, request()).resource


def outcome(change: Any) -> Any:
    try:
        return change().resource
    except PymeshError as error:
        return failure(error, SERVICE)["code"]


def check(change: Any) -> None:
    """It is made, or an error makes a Status of it; what is made stays the same when it is written again."""
    made = outcome(change)
    if isinstance(made, Resource):
        assert change_to(made, encode_json(made, "v1"), request()).resource == made
    else:
        assert made in (400, 409, 413, 422)


@given(fields=VALUES)
def test_anything_as_an_object(stored: Resource[Any], fields: Any) -> None:
    check(lambda: change_to(stored, fields, request()))
    check(lambda: apply_to(stored, fields, request(force=True)))


@given(patch=OBJECTS)
@settings(max_examples=300)
def test_anything_as_a_patch(stored: Resource[Any], patch: Any) -> None:
    live = encode_json(stored, "v1")
    check(lambda: change_to(stored, apply_merge_patch(live, patch), request()))
    check(lambda: change_to(stored, apply_strategic_merge_patch(live, patch, "Service"), request()))
    merged = apply_merge_patch({key: FIELDS[key] for key in ("apiVersion", "kind", "metadata")}, patch)
    check(lambda: apply_to(stored, merged, request()))


OPERATIONS = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"])},
    optional={
        "path": st.sampled_from(["", "/", "/spec", "/spec/ports/0", "/spec/ports/-", "/metadata/labels/a", "x"]),
        "from": st.sampled_from(["", "/spec", "/spec/ports", "/metadata", "/nowhere"]),
        "value": VALUES,
    },
)


@given(patch=st.lists(OPERATIONS, max_size=6))
def test_anything_as_a_json_patch(stored: Resource[Any], patch: Any) -> None:
    live = encode_json(stored, "v1")
    check(lambda: change_to(stored, apply_json_patch(live, patch), request()))


def test_a_json_patch_cannot_fill_the_memory() -> None:
    double = [{"op": "copy", "from": "", "path": "/a"}, {"op": "copy", "from": "/a", "path": "/b"}]
    with pytest.raises(RequestError) as caught:
        apply_json_patch({"x": 1}, double * 30)
    assert caught.value.code == 413
    with pytest.raises(RequestError, match="deeper"):
        apply_json_patch({"x": {}}, [{"op": "move", "from": "/x", "path": "/x2"}, *nest(200)])


def nest(times: int) -> list[dict[str, Any]]:
    """Each puts the object so far below another one."""
    put = [
        {"op": "move", "from": "/x2", "path": "/y"},
        {"op": "add", "path": "/x2", "value": {}},
        {"op": "move", "from": "/y", "path": "/x2/z"},
    ]
    return put * times
