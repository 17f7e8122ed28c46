from typing import Any

import pytest

from pymesh.control.api.field_set import ObjectShape, shape_of
from pymesh.control.api.managed_fields import Entries, Writer, first_entries, owned_part, track_update
from pymesh.control.api.server_side_apply import Applied, ApplyConflictError, apply_fields

PLAIN = ObjectShape()
VERSION = "networking.istio.io/v1"

Fields = dict[str, Any]


def writer(manager: str, operation: str = "Apply", subresource: str = "", now: str = "t1") -> Writer:
    return Writer(manager, operation, VERSION, subresource, now)


def apply(
    state: Applied, manager: str, fields: Fields, force: bool = False, shape: ObjectShape = PLAIN, now: str = "t1"
) -> Applied:
    return apply_fields(state.fields, fields, state.entries, writer(manager, now=now), force, shape)


def update(state: Applied, manager: str, fields: Fields, shape: ObjectShape = PLAIN) -> Applied:
    return Applied(fields, track_update(state.entries, state.fields, fields, writer(manager, "Update"), shape))


def owners(entries: Entries) -> dict[str, Fields]:
    return {f"{entry.manager} {entry.operation}": entry.fields_v1 for entry in entries}


NOTHING = Applied({}, ())


def test_the_one_who_applies_owns_what_he_states() -> None:
    state = apply(NOTHING, "a", {"spec": {"host": "x", "tls": {"mode": "SIMPLE"}}})
    assert state.fields == {"spec": {"host": "x", "tls": {"mode": "SIMPLE"}}}
    assert owners(state.entries) == {"a Apply": {"f:spec": {"f:host": {}, "f:tls": {"f:mode": {}}}}}


def test_what_is_no_longer_stated_goes_with_what_it_leaves_empty() -> None:
    state = apply(NOTHING, "a", {"spec": {"host": "x", "tls": {"mode": "SIMPLE"}}})
    assert apply(state, "a", {"spec": {"host": "x"}}).fields == {"spec": {"host": "x"}}
    assert apply(state, "a", {}).fields == {"spec": {}}


def test_what_another_states_too_stays() -> None:
    both = apply(apply(NOTHING, "a", {"spec": {"host": "x"}}), "b", {"spec": {"host": "x"}})
    left = apply(both, "a", {})
    assert (left.fields, list(owners(left.entries))) == ({"spec": {"host": "x"}}, ["b Apply"])


def test_what_nobody_applied_stays() -> None:
    state = update(NOTHING, "editor", {"spec": {"host": "x", "subsets": [1]}})
    state = apply(state, "a", {"spec": {"exportTo": ["."]}})
    assert apply(state, "a", {}).fields == {"spec": {"host": "x", "subsets": [1]}}


def test_changing_what_another_owns_is_a_conflict() -> None:
    state = apply(NOTHING, "a", {"spec": {"host": "x", "hosts": ["x"]}})
    with pytest.raises(ApplyConflictError) as caught:
        apply(state, "b", {"spec": {"host": "y", "hosts": ["y"]}})
    assert [conflict.field for conflict in caught.value.conflicts] == [".spec.host", ".spec.hosts"]
    assert str(caught.value) == 'Apply failed with 2 conflicts: conflict with "a":\n- .spec.host\n- .spec.hosts'


def test_force_takes_the_field_over() -> None:
    state = apply(NOTHING, "a", {"spec": {"host": "x", "exportTo": ["."]}})
    state = apply(state, "b", {"spec": {"host": "y"}}, force=True)
    assert state.fields["spec"]["host"] == "y"
    assert owners(state.entries) == {
        "a Apply": {"f:spec": {"f:exportTo": {}}},
        "b Apply": {"f:spec": {"f:host": {}}},
    }


def test_an_update_takes_the_fields_that_it_changes() -> None:
    state = apply(NOTHING, "a", {"spec": {"host": "x", "exportTo": ["."]}})
    state = update(state, "editor", {"spec": {"host": "y"}})
    assert owners(state.entries) == {"editor Update": {"f:spec": {"f:host": {}}}}
    with pytest.raises(ApplyConflictError, match=f'conflict with "editor" using {VERSION}: .spec.host'):
        apply(state, "a", {"spec": {"host": "x"}})


def test_the_same_again_leaves_even_the_time() -> None:
    state = apply(NOTHING, "a", {"spec": {"host": "x"}})
    assert apply(state, "a", {"spec": {"host": "x"}}, now="t2") == state
    assert update(state, "a", state.fields) == state


def test_an_applier_is_the_same_in_every_version() -> None:
    first = apply_fields({}, {"spec": {"host": "x", "exportTo": ["."]}}, (), writer("a"), False, PLAIN)
    newer = writer("a")._replace(api_version="networking.istio.io/v1beta1")
    second = apply_fields(first.fields, {"spec": {"host": "x"}}, first.entries, newer, False, PLAIN)
    assert second.fields == {"spec": {"host": "x"}}
    assert [entry.api_version for entry in second.entries] == ["networking.istio.io/v1beta1"]


def test_fields_without_an_owner_are_those_of_before_the_first_apply() -> None:
    live = {"spec": {"host": "x"}}
    entries = first_entries((), live, writer("a"), PLAIN)
    assert owners(entries) == {"before-first-apply Update": {"f:spec": {"f:host": {}}}}
    with pytest.raises(ApplyConflictError, match="before-first-apply"):
        apply(Applied(live, entries), "a", {"spec": {"host": "y"}})


def test_items_with_keys_are_merged_and_removed_one_by_one() -> None:
    shape = shape_of("Service")

    def ports(*numbers: int) -> Fields:
        return {"spec": {"ports": [{"port": number} for number in numbers]}}

    state = apply(apply(NOTHING, "a", ports(80, 443), shape=shape), "b", ports(9090), shape=shape)
    assert state.fields == ports(80, 443, 9090)
    assert apply(state, "a", ports(443), shape=shape).fields == ports(443, 9090)
    named = {"spec": {"ports": [{"port": 80, "name": "http", "protocol": "TCP"}]}}
    assert apply(state, "b", named, shape=shape).fields["spec"]["ports"][0]["name"] == "http"


def test_a_conflict_names_the_item() -> None:
    shape = shape_of("Service")
    state = apply(NOTHING, "a", {"spec": {"ports": [{"port": 80, "name": "http"}]}}, shape=shape)
    with pytest.raises(ApplyConflictError) as caught:
        apply(state, "b", {"spec": {"ports": [{"port": 80, "name": "web"}]}}, shape=shape)
    (conflict,) = caught.value.conflicts
    assert conflict.field == '.spec.ports[port=80,protocol="TCP"].name'


def test_null_is_as_good_as_absent() -> None:
    state = apply(NOTHING, "a", {"spec": {"host": "x", "exportTo": None}})
    assert state.fields == {"spec": {"host": "x"}}


def test_the_status_has_managers_of_its_own() -> None:
    fields = {"kind": "K", "metadata": {"name": "n", "labels": {"a": "b"}}, "spec": {}, "status": {"x": 1}}
    assert owned_part(fields, "", has_status=True) == {"metadata": {"labels": {"a": "b"}}, "spec": {}}
    assert owned_part(fields, "status", has_status=True) == {"status": {"x": 1}}
    spec = track_update((), {}, {"spec": {"a": 1}}, writer("a", "Update"), PLAIN)
    both = track_update(spec, {}, {"status": {"x": 1}}, writer("a", "Update", "status"), PLAIN)
    assert [entry.subresource for entry in both] == ["", "status"]
