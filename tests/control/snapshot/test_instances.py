from pymesh.control.model.workload_entry import WorkloadEntry
from pymesh.control.snapshot.instance import build_inline_instance
from pymesh.control.snapshot.instances import Instances


def _instance(namespace: str, **labels: str):
    return build_inline_instance(WorkloadEntry(address="10.0.0.1", labels=labels), namespace, "")


def test_selector_needs_every_label_in_the_same_namespace():
    wanted = _instance("a", app="x", version="v1")
    instances = Instances([wanted, _instance("a", app="x", version="v2"), _instance("b", app="x", version="v1")])
    assert instances.select("a", {"app": "x", "version": "v1"}) == [wanted]


def test_empty_selector_selects_nothing():
    assert Instances([_instance("a", app="x")]).select("a", {}) == []


def test_label_that_nobody_has_selects_nothing():
    assert Instances([_instance("a", app="x")]).select("a", {"app": "x", "tier": "gold"}) == []
