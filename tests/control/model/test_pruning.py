"""Values without unknown fields."""

from pymesh.control.model.pruning import prune


def test_only_what_is_named_goes_and_the_rest_is_not_copied() -> None:
    kept = {"c": [1]}
    value = {"a": {"x": 1, "y": 2}, "b": [{"x": 1}, {"x": 2}], "kept": kept}
    pruned = prune(value, [("a", "x"), ("b", 1, "x")])
    assert pruned == {"a": {"y": 2}, "b": [{"x": 1}, {}], "kept": kept}
    assert pruned["kept"] is kept
    assert value["a"] == {"x": 1, "y": 2}


def test_nothing_to_prune_is_the_value_itself() -> None:
    value = {"a": 1}
    assert prune(value, []) is value
