"""Names of fields as a .proto has them, in what is read as proto3 JSON, which takes them beside the JSON names.

Objects of Kubernetes' API are not: the schemas of Istio's CRDs have the JSON names only.
https://protobuf.dev/programming-guides/json/
"""

import re
import types
from functools import cache
from typing import Any, Union, get_args, get_origin

import msgspec

from pymesh.control.model.messages import Message

_NEXT_WORD = re.compile(r"_([A-Za-z0-9])")


def with_json_names(wanted: Any, value: Any) -> Any:
    """`value`, which is to become a `wanted`, with `resource_detectors` as `resourceDetectors`.

    Keys of maps stay as they are, and so does what no message has or what is there under its JSON name, too.
    """
    if isinstance(value, dict) and isinstance(wanted, type) and issubclass(wanted, Message):
        return _with_names_of(_types_of_fields(wanted), value)
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin in (Union, types.UnionType):
        return with_json_names(next(one for one in arguments if one is not types.NoneType), value)
    if origin is tuple and isinstance(value, list):
        return [with_json_names(arguments[0], item) for item in value]
    if origin is dict and isinstance(value, dict):
        return {key: with_json_names(arguments[1], item) for key, item in value.items()}
    return value


def _with_names_of(fields: dict[str, Any], value: dict[Any, Any]) -> dict[Any, Any]:
    renamed = {}
    for key, item in value.items():
        name = _NEXT_WORD.sub(lambda match: match[1].upper(), key) if isinstance(key, str) else key
        name = name if name in fields and name not in value else key
        renamed[name] = with_json_names(fields.get(name), item)
    return renamed


@cache
def _types_of_fields(message_type: type[Message]) -> dict[str, Any]:
    return {field.encode_name: field.type for field in msgspec.structs.fields(message_type)}
