from pymesh.control.api.departed import Departed
from pymesh.control.model.resource import Key

A, B = Key("Secret", "shop", "a"), Key("Secret", "shop", "b")


def test_what_departed_is_known_for_half_a_minute() -> None:
    time = 100.0
    departed = Departed(lambda: time)
    departed.add([A])
    time += 29
    assert A in departed
    assert B not in departed
    time += 2
    assert A not in departed
