import msgspec
import pytest

from pymesh.control.model.conditions import (
    Reach,
    Shadow,
    effective,
    merge_conditions,
    reconciled,
    summary,
)
from pymesh.control.model.serializer import decode

THEN, NOW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


@pytest.fixture
def rule():
    spec = {"hosts": ["web"], "http": [{"route": [{"destination": {"host": "web"}}]}]}
    return decode(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": "web", "namespace": "default"},
            "spec": spec,
        }
    )


def with_status(rule, status):
    return msgspec.structs.replace(rule, status=status)


@pytest.mark.parametrize(
    ("reach", "status", "reason", "message"),
    [
        (Reach(3, 3), "True", "UpToDate", "3/3 proxies up to date"),
        (Reach(2, 3), "False", "Pending", "2/3 proxies up to date"),
        (Reach(0, 0), "Unknown", "NoProxies", "no proxy is connected"),
        (Reach(3, 3, ("web rejected x",)), "False", "Rejected", "web rejected x"),
    ],
)
def test_an_object_is_reconciled_when_all_connected_proxies_have_it(reach, status, reason, message) -> None:
    assert reconciled(reach)[1:] == (status, reason, message)


def test_an_object_that_another_stands_before_is_not_effective() -> None:
    assert effective(None)[1:3] == ("True", "InForce")
    assert effective(Shadow(True, ("a", "b")))[1:] == ("False", "Shadowed", "a; b")
    assert effective(Shadow(False, ("a",)))[1:] == ("True", "PartlyShadowed", "a")


def test_the_time_of_a_transition_is_that_of_the_status_and_not_of_the_message(rule) -> None:
    first = merge_conditions(rule, [reconciled(Reach(0, 1))], THEN)
    second = merge_conditions(with_status(rule, first), [reconciled(Reach(1, 2))], NOW)
    assert second["conditions"][0]["message"] == "1/2 proxies up to date"
    assert second["conditions"][0]["lastTransitionTime"] == THEN
    third = merge_conditions(with_status(rule, second), [reconciled(Reach(2, 2))], NOW)
    assert third["conditions"][0]["lastTransitionTime"] == NOW


def test_what_others_wrote_into_the_status_stays(rule) -> None:
    theirs = {"conditions": [{"type": "Theirs", "status": "True"}], "validationMessages": [1]}
    merged = merge_conditions(with_status(rule, theirs), [effective(None)], NOW)
    assert [one["type"] for one in merged["conditions"]] == ["Theirs", "Effective"]
    assert merged["validationMessages"] == [1]


@pytest.mark.parametrize(
    ("reach", "shadow", "word"),
    [
        (Reach(1, 1), None, "InForce"),
        (Reach(0, 1), None, "Pending"),
        (Reach(1, 1), Shadow(True, ("a",)), "Shadowed"),
        (Reach(1, 1, ("no",)), Shadow(True, ("a",)), "Rejected"),
    ],
)
def test_the_column_says_what_keeps_an_object_from_being_in_force(rule, reach, shadow, word) -> None:
    assert summary(merge_conditions(rule, [reconciled(reach), effective(shadow)], NOW)) == word


def test_the_column_is_empty_before_the_first_look() -> None:
    assert summary({}) == ""
