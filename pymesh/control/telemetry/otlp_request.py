"""OTLP over HTTP: from a body in protobuf or JSON to a message, and the answer in the same encoding. No IO.

https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

import base64
import json
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError as ProtobufError

from pymesh.errors import PymeshError

PROTOBUF = "application/x-protobuf"
JSON = "application/json"

# OTLP's JSON has these in hex, where proto3 JSON has bytes in base64.
_HEX_FIELDS = ("traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id")


class BadRequestError(PymeshError):
    """The body is not what its content type says."""


def decode_request(message_type: Any, body: bytes, content_type: str) -> Any:
    """Raises BadRequestError."""
    if content_type == PROTOBUF:
        return _decode_protobuf(message_type, body)
    if content_type == JSON:
        return _decode_json(message_type, body)
    raise BadRequestError(f"Content-Type must be {PROTOBUF} or {JSON}, not {content_type}")


def encode_response(message: Any, content_type: str) -> bytes:
    if content_type == JSON:
        return json_format.MessageToJson(message).encode()
    data: bytes = message.SerializeToString()
    return data


def _decode_protobuf(message_type: Any, body: bytes) -> Any:
    try:
        return message_type.FromString(body)
    except ProtobufError as error:
        raise BadRequestError(f"not an OTLP message: {error}") from None


def _decode_json(message_type: Any, body: bytes) -> Any:
    try:
        value = json.loads(body)
        if not isinstance(value, dict):
            raise BadRequestError("not an OTLP message: not an object")
        return json_format.ParseDict(_with_base64_ids(value), message_type(), ignore_unknown_fields=True)
    except (ValueError, RecursionError, json_format.ParseError) as error:
        raise BadRequestError(f"not an OTLP message: {error}") from None


def _with_base64_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_base64_ids(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _base64(item) if key in _HEX_FIELDS and isinstance(item, str) else _with_base64_ids(item)
        for key, item in value.items()
    }


def _base64(text: str) -> str:
    return base64.b64encode(bytes.fromhex(text)).decode()
