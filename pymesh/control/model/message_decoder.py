"""JSON values -> messages: types and unknown fields, every violation with its path. What values mean is not known here.

msgspec's own decoding ends at the first violation; a user wants them all.
"""

import base64
import binascii
import math
import re
import types
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from pymesh.control.model.messages import Message
from pymesh.control.model.scope import Scope

MessageT = TypeVar("MessageT", bound=Message)

_MOST_SUGGESTIONS = 50  # looking for a similar word is slow
_LONGEST_WORD = 100
_LARGEST_INT = 2**64  # proto3's uint64
_INTEGER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_INVALID: Any = object()  # the violation is noted; the field keeps its default

_Decode = Callable[[Any, Scope], Any]


def decode_message(message_type: type[MessageT], value: Any, at: Scope) -> MessageT:
    """The message that `value` describes; what violates its types is noted at `at` and left at its default."""
    message = _decoder_of(message_type)(value, at)
    return message_type() if message is _INVALID else message


def type_name(value: Any) -> str:
    """How a user calls the type of a JSON value."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


@cache
def _decoder_of(wanted: Any) -> _Decode:
    if isinstance(wanted, type) and issubclass(wanted, Message):
        return _struct_decoder(wanted)
    if wanted in _SCALARS:
        return _SCALARS[wanted]
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin is Literal:
        return _enum_decoder(arguments)
    if origin is tuple:
        return _list_decoder(_decoder_of(arguments[0]), _stand_in(arguments[0]))
    if origin is dict:
        return _map_decoder(arguments[0], arguments[1])
    if origin in (Union, types.UnionType):
        return _union_decoder(tuple(argument for argument in arguments if argument is not types.NoneType))
    raise TypeError(f"no decoder for {wanted}")


def _struct_decoder(message_type: type[Message]) -> _Decode:
    fields: dict[str, tuple[str, _Decode]] | None = None

    def decode(value: Any, at: Scope) -> Any:
        nonlocal fields
        if fields is None:  # late, as a message may contain itself
            fields = {f.encode_name: (f.name, _decoder_of(f.type)) for f in msgspec.structs.fields(message_type)}
        if not isinstance(value, dict):
            return _wrong(at, "an object", value)
        arguments = {}
        for key, item in value.items():
            if key not in fields:
                at[str(key)].fail_unknown(_unknown_field(key, fields, at))
            elif item is not None:  # null is as good as absent, as in Kubernetes
                name, decode_field = fields[key]
                decoded = decode_field(item, at[key])
                if decoded is not _INVALID:
                    arguments[name] = decoded
        return message_type(**arguments)

    return decode


def _unknown_field(key: Any, known: Iterable[str], at: Scope) -> str:
    is_worth_it = len(at.violations) < _MOST_SUGGESTIONS and len(str(key)) < _LONGEST_WORD
    close = get_close_matches(str(key), known, n=1) if is_worth_it else []
    return f"unknown field; did you mean {close[0]}?" if close else "unknown field"


def _list_decoder(decode_item: _Decode, stand_in: Any) -> _Decode:
    """An item that cannot be decoded is replaced, so that those behind it keep their places."""

    def decode(value: Any, at: Scope) -> Any:
        if not isinstance(value, list):
            return _wrong(at, "a list", value)
        items = [decode_item(item, at[index]) for index, item in enumerate(value)]
        return tuple([stand_in if item is _INVALID else item for item in items])

    return decode


def _stand_in(kind: Any) -> Any:
    if get_origin(kind) is Literal:
        return get_args(kind)[0]
    return kind() if isinstance(kind, type) else {}


def _map_decoder(key_type: Any, value_type: Any) -> _Decode:
    decode_value = _decoder_of(value_type)

    def decode(value: Any, at: Scope) -> Any:
        if not isinstance(value, dict):
            return _wrong(at, "an object", value)
        items = {}
        for key, item in value.items():
            decoded = decode_value(item, at[str(key)])
            decoded_key = _decode_key(key, key_type, at)
            if decoded is not _INVALID and decoded_key is not _INVALID:
                items[decoded_key] = decoded
        return items

    return decode


def _decode_key(key: Any, key_type: Any, at: Scope) -> Any:
    if not isinstance(key, str):
        return _wrong(at, "an object with strings as keys", value=None, got=f"{key!r}")
    if key_type is str:
        return key
    return int(key) if key.isdecimal() and len(key) < 10 else _wrong(at, "an object with numbers as keys", None, key)


def _enum_decoder(allowed: tuple[str, ...]) -> _Decode:
    def decode(value: Any, at: Scope) -> Any:
        if not isinstance(value, str):
            return _wrong(at, "a string", value)
        if value not in allowed:
            at.fail(f"must be one of {', '.join(allowed)}, not {value!r}")
            return _INVALID
        return value

    return decode


def _union_decoder(alternatives: tuple[Any, ...]) -> _Decode:
    if len(alternatives) == 1:
        return _decoder_of(alternatives[0])
    assert set(alternatives) == {int, str}, alternatives  # Kubernetes' IntOrString is the only union

    def decode(value: Any, at: Scope) -> Any:
        return _decode_int(value, at) if _is_number(value) else _decode_str(value, at)

    return decode


def _decode_str(value: Any, at: Scope) -> Any:
    return value if isinstance(value, str) else _wrong(at, "a string", value)


def _decode_bool(value: Any, at: Scope) -> Any:
    return value if isinstance(value, bool) else _wrong(at, "a boolean", value)


def _decode_int(value: Any, at: Scope) -> Any:
    if not _is_number(value):
        if at.notes.takes_quoted_numbers and isinstance(value, str) and _INTEGER.fullmatch(value):
            return int(value)
        return _wrong(at, "an integer", value)
    if not abs(value) < _LARGEST_INT:  # no comparison holds for NaN
        return _wrong(at, "an integer", value, "one of more than 64 bits")
    return int(value) if value == int(value) else _wrong(at, "an integer", value, f"{value}")


def _decode_float(value: Any, at: Scope) -> Any:
    if not _is_number(value):
        return _wrong(at, "a number", value)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    return number if math.isfinite(number) else _wrong(at, "a finite number", value, f"{value}")


def _decode_bytes(value: Any, at: Scope) -> Any:
    if not isinstance(value, str):
        return _wrong(at, "a base64 string", value)
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        at.fail("is not base64")
        return _INVALID


def _decode_any(value: Any, at: Scope) -> Any:
    return value


_SCALARS: dict[Any, _Decode] = {
    str: _decode_str,
    bool: _decode_bool,
    int: _decode_int,
    float: _decode_float,
    bytes: _decode_bytes,
    Any: _decode_any,
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _wrong(at: Scope, wanted: str, value: Any, got: str = "") -> Any:
    at.fail(f"must be {wanted}, not {got or type_name(value)}")
    return _INVALID
