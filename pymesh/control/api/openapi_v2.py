"""/openapi/v2: the same types once more, as one document; kubectl wants it in protocol buffers and takes nothing else.

The numbers are those of OpenAPIv2.proto of github.com/google/gnostic-models.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import msgspec

from pymesh import __version__
from pymesh.control.api.api_resources import API_RESOURCES
from pymesh.control.api.openapi_schemas import REFERENCE, Schemas, add_resource
from pymesh.control.api.openapi_v3 import build_paths
from pymesh.control.api.protobuf_writer import message, text

PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
PROTOBUF_TYPES = (PROTOBUF, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")

_Json = dict[str, Any]


@cache
def build_document() -> _Json:
    schemas: Schemas = {}
    paths: _Json = {}
    for resource in API_RESOURCES:
        for version in resource.versions:
            reference = {"$ref": REFERENCE + add_resource(schemas, resource, version)}
            root = f"/apis/{resource.group}/{version}" if resource.group else f"/api/{version}"
            paths |= build_paths(root, resource, version, reference)
    return {
        "swagger": "2.0",
        "info": {"title": "pymesh", "version": __version__},
        "paths": {path: _path_item(item) for path, item in paths.items()},
        "definitions": {name: _downgrade(schema) for name, schema in schemas.items()},
    }


@cache
def encode_document() -> bytes:
    return encode_protobuf(build_document())


def encode_protobuf(document: _Json) -> bytes:
    """gnostic's Document."""
    info = text(1, document["info"]["title"]) + text(2, document["info"]["version"])
    paths = b"".join(message(2, _named(path, _encode_path(item))) for path, item in document["paths"].items())
    parts = (
        text(1, document["swagger"]),
        message(2, info),
        message(8, paths),
        message(9, _named_schemas(document["definitions"])),
    )
    return b"".join(parts)


def _path_item(item: _Json) -> _Json:
    return {method: _operation(operation) for method, operation in item.items()}


def _operation(operation: _Json) -> _Json:
    parameters = [{"name": one["name"], "in": one["in"], "type": "string"} for one in operation["parameters"]]
    extensions = {key: value for key, value in operation.items() if key.startswith("x-")}
    return {"parameters": parameters, "responses": {"200": {"description": "OK"}}, **extensions}


def _downgrade(schema: Any) -> Any:
    """From OpenAPI 3.0 to 2.0: no oneOf, texts beside references, and other references."""
    if isinstance(schema, list):
        return [_downgrade(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    lower = {key: _downgrade(value) for key, value in schema.items() if key != "oneOf"}
    if "x-kubernetes-int-or-string" in lower:
        lower |= {"type": "string", "format": "int-or-string"}
    if "allOf" in lower:  # a reference with a text of its own, which kubectl reads from beside $ref
        lower |= lower.pop("allOf")[0]
    reference = lower.get("$ref")
    if isinstance(reference, str):
        lower["$ref"] = reference.replace(REFERENCE, "#/definitions/")
    return lower


def _encode_path(item: _Json) -> bytes:
    numbers = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}
    return b"".join(message(numbers[method], _encode_operation(operation)) for method, operation in item.items())


def _encode_operation(operation: _Json) -> bytes:
    parameters = b"".join(message(8, _encode_parameter(one)) for one in operation["parameters"])
    response = message(1, _named("200", message(1, text(1, operation["responses"]["200"]["description"]))))
    return parameters + message(9, response) + _extensions(13, operation)


def _encode_parameter(parameter: _Json) -> bytes:
    """ParametersItem.parameter.non_body_parameter.query_parameter_sub_schema."""
    query = text(2, parameter["in"]) + text(4, parameter["name"]) + text(6, parameter["type"])
    return message(1, message(2, message(3, query)))


def _encode_schema(schema: _Json) -> bytes:
    parts = [text(1, schema.get("$ref", "")), text(2, schema.get("format", "")), text(4, schema.get("description", ""))]
    parts += [message(20, _any(value)) for value in schema.get("enum", ())]
    if "additionalProperties" in schema:
        parts.append(message(21, message(1, _encode_schema(schema["additionalProperties"]))))
    if "type" in schema:
        parts.append(message(22, text(1, schema["type"])))
    if "items" in schema:
        parts.append(message(23, message(1, _encode_schema(schema["items"]))))
    if "properties" in schema:
        parts.append(message(25, _named_schemas(schema["properties"])))
    return b"".join((*parts, _extensions(31, schema)))


def _named_schemas(schemas: Mapping[str, _Json]) -> bytes:
    return b"".join(message(1, _named(name, _encode_schema(schema))) for name, schema in schemas.items())


def _named(name: str, content: bytes) -> bytes:
    return text(1, name) + message(2, content)


def _extensions(number: int, fields: _Json) -> bytes:
    return b"".join(message(number, _named(key, _any(value))) for key, value in _vendor_fields(fields))


def _vendor_fields(fields: _Json) -> Iterable[tuple[str, Any]]:
    return ((key, value) for key, value in fields.items() if key.startswith("x-"))


def _any(value: Any) -> bytes:
    """Any.yaml; JSON is YAML."""
    return text(2, msgspec.json.encode(value).decode())
