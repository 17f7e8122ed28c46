"""Our declarations against the copy of OTLP's that is installed, which may be an old one: what both have must agree."""

from typing import Any

import pytest

from pymesh import otlp

PACKAGES = ("common", "metrics", "resource", "trace")
FILES = [pytest.importorskip(f"opentelemetry.proto.{package}.v1.{package}_pb2") for package in PACKAGES]
SHARED = [name for name in sorted(otlp._MESSAGES) if any(hasattr(file, name) for file in FILES)]
ENUM, INT32 = 14, 5


def fields(message: Any) -> dict[str, tuple[int, int]]:
    """name: number and type; an enum travels as an int32."""
    return {
        field.name: (field.number, INT32 if field.type == ENUM else field.type) for field in message.DESCRIPTOR.fields
    }


@pytest.mark.parametrize("name", SHARED)
def test_fields_have_otlp_s_numbers_and_types(name: str) -> None:
    theirs = fields(next(getattr(file, name) for file in FILES if hasattr(file, name)))
    ours = fields(otlp._CLASSES[name])
    shared = ours.keys() & theirs.keys()
    assert {field: ours[field] for field in shared} == {field: theirs[field] for field in shared}


def test_most_messages_can_be_compared() -> None:
    assert {"Span", "KeyValue", "Metric", "NumberDataPoint", "HistogramDataPoint", "Resource"} <= set(SHARED)


def test_unknown_fields_are_skipped() -> None:
    body = otlp.Span(name="a").SerializeToString() + b"\x58\x07"  # dropped_attributes_count, which is not declared
    assert otlp.Span.FromString(body).name == "a"


def test_a_value_is_one_of_its_kinds() -> None:
    value = otlp.AnyValue(int_value=0)
    assert value.WhichOneof("value") == "int_value"
    value.string_value = ""
    assert value.WhichOneof("value") == "string_value"
