"""Kubernetes' protocol buffers -> JSON fields. `kubectl create namespace`, `create secret` and the like send nothing
else. Pure.

Only the kinds that are kept are read whole; of others, their metadata. Field numbers are those of generated.proto in
k8s.io/api/core/v1 and k8s.io/apimachinery/pkg/apis/meta/v1.
https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
"""

import base64
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pymesh.control.api.status import RequestError

PROTOBUF = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"

_Json = dict[str, Any]
_Value = int | bytes


class _Field(NamedTuple):
    """`is_repeated`: a list; `is_map`: entries of key 1 and value 2."""

    name: str
    read: Callable[[_Value], Any]
    is_repeated: bool = False
    is_map: bool = False


_Fields = Mapping[int, _Field]


def decode_protobuf(content: bytes) -> _Json:
    """The object of a body. Raises RequestError."""
    if not content.startswith(_MAGIC):
        raise RequestError("the body does not begin as Kubernetes' protobuf does")
    try:
        envelope = dict(_read_fields(content[len(_MAGIC) :]))
        head = _read_message(_TYPE_META)(envelope.get(1, b""))
        fields = _read_message(_KINDS.get(str(head.get("kind")), _METADATA_ONLY))(envelope.get(2, b""))
    except (ValueError, IndexError, OverflowError, OSError) as error:
        raise RequestError(f"the body is no protobuf of a known kind: {error}") from error
    return {**head, **fields}


def _read_fields(content: bytes) -> Iterator[tuple[int, _Value]]:
    """(number, value) of each field; fixed-width ones, of which there are none here, are skipped."""
    position = 0
    while position < len(content):
        tag, position = _read_varint(content, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            value, position = _read_varint(content, position)
            yield number, value
        elif wire_type == 2:
            length, position = _read_varint(content, position)
            if position + length > len(content):
                raise ValueError("a field is longer than the body")
            yield number, content[position : position + length]
            position += length
        elif wire_type in (1, 5):
            position += 8 if wire_type == 1 else 4
        else:
            raise ValueError(f"wire type {wire_type}")


def _read_varint(content: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("a number is longer than 64 bits")


def _read_message(fields: _Fields) -> Callable[[_Value], _Json]:
    """Go writes every field; what is empty is as good as absent."""

    def read(content: _Value) -> _Json:
        message: _Json = {}
        for number, value in _read_fields(_expect_bytes(content)):
            field = fields.get(number)
            if field is not None:
                _add(message, field, value)
        return {name: value for name, value in message.items() if value not in ("", 0, None, {}, [])}

    return read


def _add(message: _Json, field: _Field, value: _Value) -> None:
    if field.is_map:
        entry = dict(_read_fields(_expect_bytes(value)))
        message.setdefault(field.name, {})[_text(entry.get(1, b""))] = field.read(entry.get(2, b""))
    elif field.is_repeated:
        message.setdefault(field.name, []).append(field.read(value))
    else:
        message[field.name] = field.read(value)


def _expect_bytes(value: _Value) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a number stands for a message")
    return value


def _text(value: _Value) -> str:
    return _expect_bytes(value).decode()


def _base64(value: _Value) -> str:
    return base64.b64encode(_expect_bytes(value)).decode()


def _number(value: _Value) -> int:
    if not isinstance(value, int):
        raise ValueError("a message stands for a number")
    return value - (1 << 64) if value >= 1 << 63 else value


def _boolean(value: _Value) -> bool:
    return bool(_number(value))


def _time(value: _Value) -> str | None:
    seconds = dict(_read_fields(_expect_bytes(value))).get(1)
    return None if seconds is None else datetime.fromtimestamp(_number(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _int_or_string(value: _Value) -> int | str:
    """IntOrString: type, intVal, strVal."""
    fields = dict(_read_fields(_expect_bytes(value)))
    return _text(fields.get(3, b"")) if fields.get(1) else _number(fields.get(2, 0))


_TYPE_META: _Fields = {1: _Field("apiVersion", _text), 2: _Field("kind", _text)}
_OBJECT_META: _Fields = {
    1: _Field("name", _text),
    2: _Field("generateName", _text),
    3: _Field("namespace", _text),
    5: _Field("uid", _text),
    6: _Field("resourceVersion", _text),
    7: _Field("generation", _number),
    8: _Field("creationTimestamp", _time),
    11: _Field("labels", _text, is_map=True),
    12: _Field("annotations", _text, is_map=True),
    14: _Field("finalizers", _text, is_repeated=True),
}
_METADATA = _Field("metadata", _read_message(_OBJECT_META))
_METADATA_ONLY: _Fields = {1: _METADATA}
_LOCAL_REFERENCE: _Fields = {1: _Field("name", _text)}
_OBJECT_REFERENCE: _Fields = {1: _Field("kind", _text), 2: _Field("namespace", _text), 3: _Field("name", _text)}
_SERVICE_PORT: _Fields = {
    1: _Field("name", _text),
    2: _Field("protocol", _text),
    3: _Field("port", _number),
    4: _Field("targetPort", _int_or_string),
    5: _Field("nodePort", _number),
    6: _Field("appProtocol", _text),
}
_SERVICE_SPEC: _Fields = {
    1: _Field("ports", _read_message(_SERVICE_PORT), is_repeated=True),
    2: _Field("selector", _text, is_map=True),
    3: _Field("clusterIP", _text),
    4: _Field("type", _text),
    5: _Field("externalIPs", _text, is_repeated=True),
    7: _Field("sessionAffinity", _text),
    8: _Field("loadBalancerIP", _text),
    9: _Field("loadBalancerSourceRanges", _text, is_repeated=True),
    10: _Field("externalName", _text),
    11: _Field("externalTrafficPolicy", _text),
    12: _Field("healthCheckNodePort", _number),
    13: _Field("publishNotReadyAddresses", _boolean),
    17: _Field("ipFamilyPolicy", _text),
    18: _Field("clusterIPs", _text, is_repeated=True),
    19: _Field("ipFamilies", _text, is_repeated=True),
    21: _Field("loadBalancerClass", _text),
    22: _Field("internalTrafficPolicy", _text),
    23: _Field("trafficDistribution", _text),
}
_PRECONDITIONS: _Fields = {1: _Field("uid", _text), 2: _Field("resourceVersion", _text)}

_KINDS: dict[str, _Fields] = {
    "Namespace": _METADATA_ONLY,
    "ConfigMap": {
        1: _METADATA,
        2: _Field("data", _text, is_map=True),
        3: _Field("binaryData", _base64, is_map=True),
        4: _Field("immutable", _boolean),
    },
    "Secret": {
        1: _METADATA,
        2: _Field("data", _base64, is_map=True),
        3: _Field("type", _text),
        4: _Field("stringData", _text, is_map=True),
        5: _Field("immutable", _boolean),
    },
    "ServiceAccount": {
        1: _METADATA,
        2: _Field("secrets", _read_message(_OBJECT_REFERENCE), is_repeated=True),
        3: _Field("imagePullSecrets", _read_message(_LOCAL_REFERENCE), is_repeated=True),
        4: _Field("automountServiceAccountToken", _boolean),
    },
    "Service": {1: _METADATA, 2: _Field("spec", _read_message(_SERVICE_SPEC))},
    "DeleteOptions": {
        2: _Field("preconditions", _read_message(_PRECONDITIONS)),
        4: _Field("propagationPolicy", _text),
        5: _Field("dryRun", _text, is_repeated=True),
    },
}
