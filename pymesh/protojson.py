"""proto3 JSON values and a reader that knows the path of what it reads.

Both ends of the wire need these: control writes durations and percentages, the proxy reads them. No resource of xDS is
known here.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from pymesh.errors import DecodeError

_DURATION = re.compile(r"(-?)(\d+)(?:\.(\d{1,9}))?s")
_GO_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|us|ns|m|s)")
_GO_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_PERCENT_DENOMINATORS = {"HUNDRED": 100.0, "TEN_THOUSAND": 10_000.0, "MILLION": 1_000_000.0}


def parse_duration(text: str) -> float:
    """Seconds of a google.protobuf.Duration in JSON (`"1.5s"`). Raises ValueError."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration such as 1.5s")
    return float(text[:-1])


def parse_go_duration(text: str) -> float:
    """Seconds of a duration as Istio's YAML writes it (`1h30m`, `250ms`, `1.5s`). Raises ValueError."""
    position, seconds = 0, 0.0
    for match in _GO_DURATION.finditer(text):
        if match.start() != position:
            break
        seconds += float(match[1]) * _GO_UNITS[match[2]]
        position = match.end()
    if position == 0 or position != len(text):
        raise ValueError(f"{text!r} is not a duration such as 1h, 30s or 250ms")
    return seconds


def format_duration(seconds: float) -> str:
    """The JSON form of a google.protobuf.Duration: `0.25s`, `3600s`."""
    text = f"{seconds:.9f}".rstrip("0").rstrip(".")
    return f"{text}s"


def fractional_percent(percent: float) -> dict[str, Any]:
    """envoy.type.v3.FractionalPercent of `percent` (0..100), exact to a ten-thousandth of a percent."""
    return {"numerator": round(percent * 10_000), "denominator": "MILLION"}


class Reader:
    """One JSON object that is being decoded: typed access by key, errors with the full path, no key overlooked.

    A decoder reads what it understands, says with `ignore` what means nothing to us, and the outermost caller ends with
    `reject_unread`, so that a field which nobody obeys is an error and not a silent surprise. Field names are read in
    the snake_case of the proto; lowerCamelCase is accepted as the proto3 JSON mapping demands.
    """

    __slots__ = ("_children", "_fields", "_unread", "path")

    def __init__(self, value: Any, path: str = "") -> None:
        if not isinstance(value, Mapping):
            raise DecodeError(path or ".", f"must be an object, not {_type_name(value)}")
        self.path = path
        self._fields = {_snake_case(key): item for key, item in value.items() if item is not None}
        self._unread = set(self._fields)
        self._children: list[Reader] = []

    def __contains__(self, key: str) -> bool:
        return key in self._fields

    def keys(self) -> Iterator[str]:
        return iter(self._fields)

    def fail(self, key: str, message: str) -> NoReturn:
        raise DecodeError(self._at(key), message)

    def ignore(self, *keys: str) -> None:
        """These fields change nothing in this proxy; do not reject them."""
        self._unread.difference_update(keys)

    def reject_unread(self) -> None:
        """Raise DecodeError for the first field, here or below, that no decoder asked for."""
        for key in sorted(self._unread):
            self.fail(key, "this proxy does not know the field")
        for child in self._children:
            child.reject_unread()

    # scalars

    def string(self, key: str, default: str = "") -> str:
        value = self._take(key, default)
        return value if isinstance(value, str) else self._wrong(key, "a string", value)

    def required_string(self, key: str) -> str:
        return self.string(key) or self.fail(key, "is required")

    def boolean(self, key: str, default: bool = False) -> bool:
        value = self._take(key, default)
        return value if isinstance(value, bool) else self._wrong(key, "a boolean", value)

    def integer(self, key: str, default: int = 0) -> int:
        value = self._take(key, default)
        if isinstance(value, str) and re.fullmatch(r"-?\d+", value):
            return int(value)  # proto3 JSON writes 64-bit integers as strings
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            self._wrong(key, "an integer", value)
        return value

    def optional_integer(self, key: str) -> int | None:
        return self.integer(key) if key in self._fields else None

    def number(self, key: str, default: float = 0.0) -> float:
        value = self._take(key, default)
        return float(value) if _is_number(value) else self._wrong(key, "a number", value)

    def duration(self, key: str) -> float | None:
        """Seconds, or None where the field is absent."""
        if key not in self._fields:
            return None
        try:
            return parse_duration(self.string(key))
        except ValueError as error:
            self.fail(key, f"{error}")

    def enum(self, key: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        """A name of the enum; without a default, its zero value, which is the first of `allowed`."""
        value = self.string(key, default if default is not None else allowed[0])
        return value if value in allowed else self.fail(key, f"must be one of {', '.join(allowed)}, not {value!r}")

    def percent(self, key: str) -> float | None:
        """0..100 of a Percent (`{"value": 50}`), a FractionalPercent or a RuntimeFractionalPercent; None if absent."""
        fraction = self.object(key)
        if fraction is None:
            return None
        if "default_value" in fraction:
            fraction.ignore("runtime_key")
            return fraction.percent("default_value")
        if "value" in fraction:
            return fraction.number("value")
        denominator = fraction.enum("denominator", tuple(_PERCENT_DENOMINATORS))
        return 100.0 * fraction.integer("numerator") / _PERCENT_DENOMINATORS[denominator]

    # containers

    def object(self, key: str) -> "Reader | None":
        value = self._take(key, None)
        return None if value is None else self._child(value, self._at(key))

    def required_object(self, key: str) -> "Reader":
        return self.object(key) or self.fail(key, "is required")

    def objects(self, key: str) -> "list[Reader]":
        return [self._child(item, f"{self._at(key)}[{i}]") for i, item in enumerate(self._list(key))]

    def named_objects(self, key: str) -> "dict[str, Reader]":
        """A map field whose values are messages."""
        return {name: self._child(item, f"{self._at(key)}.{name}") for name, item in self.map(key).items()}

    def strings(self, key: str) -> tuple[str, ...]:
        values = self._list(key)
        if not all(isinstance(value, str) for value in values):
            self.fail(key, "must be a list of strings")
        return tuple(values)

    def integers(self, key: str) -> tuple[int, ...]:
        values = self._list(key)
        if not all(isinstance(value, int) for value in values):
            self.fail(key, "must be a list of integers")
        return tuple(values)

    def map(self, key: str) -> dict[str, Any]:
        """A google.protobuf.Struct or a map field, as it is: its keys are data and are not converted."""
        value = self._take(key, {})
        return dict(value) if isinstance(value, Mapping) else self._wrong(key, "an object", value)

    def any(self, key: str) -> "tuple[str, Reader] | None":
        """A google.protobuf.Any: its type URL and a reader of the message."""
        message = self.object(key)
        return None if message is None else (message.required_string("@type"), message)

    def oneof(self, *keys: str) -> str | None:
        """The one of these fields that is set, or None. Two are an error. Does not count as reading it."""
        present = [key for key in keys if key in self._fields]
        if len(present) > 1:
            self.fail(present[1], f"cannot stand beside {present[0]}")
        return present[0] if present else None

    def _list(self, key: str) -> list[Any]:
        value = self._take(key, [])
        return value if isinstance(value, list) else self._wrong(key, "a list", value)

    def _child(self, value: Any, path: str) -> "Reader":
        child = Reader(value, path)
        self._children.append(child)
        return child

    def _take(self, key: str, default: Any) -> Any:
        self._unread.discard(key)
        return self._fields.get(key, default)

    def _at(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def _wrong(self, key: str, wanted: str, value: Any) -> NoReturn:
        self.fail(key, f"must be {wanted}, not {_type_name(value)}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _snake_case(key: str) -> str:
    # What is no identifier is no field name but the key of a map: "@type", an extension's or a filter's name.
    return key if key.islower() or not key.isidentifier() else re.sub(r"(?<!^)([A-Z])", r"_\1", key).lower()


def _type_name(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
