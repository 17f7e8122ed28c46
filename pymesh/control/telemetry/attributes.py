"""OTLP attributes as plain text."""

from collections.abc import Iterable
from sys import intern
from typing import Any

MAX_VALUE = 1_024  # characters


def attribute_texts(attributes: Iterable[Any]) -> dict[str, str]:
    """Every attribute as text, arrays and maps as protobuf prints them; long values are cut."""
    return {intern(pair.key): _text(pair.value) for pair in attributes}


def _text(value: Any) -> str:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return str(value.string_value[:MAX_VALUE])
    return "" if kind is None else str(getattr(value, kind))[:MAX_VALUE]
