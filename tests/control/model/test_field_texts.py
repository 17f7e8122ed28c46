"""Every field of every kind is explained."""

from collections.abc import Iterator
from typing import Any, get_args

import msgspec
import pytest

from pymesh.control.api.field_docs import field_docs
from pymesh.control.model.kinds import KINDS
from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.model.messages import Message

_LONGEST = 250


def messages_of(wanted: Any) -> Iterator[type[Message]]:
    if isinstance(wanted, type) and issubclass(wanted, Message):
        yield wanted
        for field in msgspec.structs.fields(wanted):
            yield from messages_of(field.type)
    for argument in get_args(wanted):
        yield from messages_of(argument)


@pytest.mark.parametrize("spec_type", [*(kind.spec_type for kind in KINDS), MeshConfig], ids=lambda one: one.__name__)
def test_every_field_has_a_short_text(spec_type: type[Message]) -> None:
    for message in set(messages_of(spec_type)):
        texts = field_docs(message)
        for field in msgspec.structs.fields(message):
            assert 0 < len(texts.get(field.name, "")) <= _LONGEST, f"{message.__name__}.{field.name}"
