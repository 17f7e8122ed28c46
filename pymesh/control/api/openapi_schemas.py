"""The types of the model as schemas of OpenAPI. Pure.

https://spec.openapis.org/oas/v3.0.0#schema-object, with Kubernetes' extensions
https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy
"""

import types
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

from pymesh.control.api.api_resources import ApiResource
from pymesh.control.api.field_docs import class_doc, field_docs
from pymesh.control.api.field_set import shape_of
from pymesh.control.api.strategic_merge_patch import merge_keys_of
from pymesh.control.model.foreign_kinds import is_foreign
from pymesh.control.model.messages import Message
from pymesh.control.model.resource import Metadata

_Json = dict[str, Any]
Schemas = dict[str, _Json]

REFERENCE = "#/components/schemas/"
OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

_SCALARS: dict[Any, _Json] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer", "format": "int64"},
    float: {"type": "number", "format": "double"},
    bytes: {"type": "string", "format": "byte"},
    Any: {"x-kubernetes-preserve-unknown-fields": True},
}
_FREE_OBJECT: _Json = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_API_VERSION = {"type": "string", "description": "The version of the schema by which this object is written."}
_KIND = {"type": "string", "description": "The kind of this object."}


def add_resource(schemas: Schemas, resource: ApiResource, version: str) -> str:
    """Add the schema of the resource, and of all that it is made of; its name."""
    name = resource_schema_name(resource, version)
    schema = _object_schema(resource, schemas)
    kind = {"group": resource.group, "version": version, "kind": resource.name}
    schemas[name] = schema | {"x-kubernetes-group-version-kind": [kind]}
    _add_merge_strategies(resource, schemas[name], schemas)
    return name


def resource_schema_name(resource: ApiResource, version: str) -> str:
    """`io.istio.networking.v1.VirtualService`, `core.v1.Service`."""
    return ".".join((*reversed((resource.group or "core").split(".")), version, resource.name))


def _object_schema(resource: ApiResource, schemas: Schemas) -> _Json:
    metadata = _described(_reference(Metadata, schemas), "Its name, labels and the like.")
    head = {"apiVersion": _API_VERSION, "kind": _KIND, "metadata": metadata}
    if resource.kind is None or is_foreign(resource.kind):
        text = f"pymesh runs no containers and has no use for a {resource.name}: it is skipped with a warning."
        return _FREE_OBJECT | {"description": text, "properties": head}
    spec_type = resource.kind.spec_type
    text = class_doc(spec_type)
    status = {"status": _FREE_OBJECT | {"description": "What the mesh says of the object; clients do not write it."}}
    if resource.kind.is_inline:
        properties = _properties(spec_type, schemas)
    else:
        properties = {"spec": _described(_reference(spec_type, schemas), "What is wanted."), **status}
    return {"type": "object", "description": text, "properties": head | properties}


def _schema_of(wanted: Any, schemas: Schemas) -> _Json:
    if isinstance(wanted, type) and issubclass(wanted, Message):
        return _reference(wanted, schemas)
    if wanted in _SCALARS:
        return dict(_SCALARS[wanted])
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin is Literal:
        return {"type": "string", "enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": _schema_of(arguments[0], schemas), "x-kubernetes-list-type": "atomic"}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema_of(arguments[1], schemas)}
    if origin in (Union, types.UnionType):
        return _union_schema([one for one in arguments if one is not types.NoneType], schemas)
    raise TypeError(f"no schema for {wanted}")


def _union_schema(alternatives: list[Any], schemas: Schemas) -> _Json:
    if len(alternatives) == 1:
        return _schema_of(alternatives[0], schemas)
    if set(alternatives) == {int, str}:
        return {"x-kubernetes-int-or-string": True, "oneOf": [{"type": "integer"}, {"type": "string"}]}
    return {"x-kubernetes-preserve-unknown-fields": True}


def _reference(message: type[Message], schemas: Schemas) -> _Json:
    name = OBJECT_META if message is Metadata else f"{message.__module__.rpartition('.')[2]}.{message.__name__}"
    if name not in schemas:
        schemas[name] = {"type": "object"}  # a message may contain itself
        schemas[name] |= {"description": class_doc(message), "properties": _properties(message, schemas)}
    return {"$ref": REFERENCE + name}


def _properties(message: type[Message], schemas: Schemas) -> _Json:
    docs = field_docs(message)
    return {
        field.encode_name: _described(_schema_of(field.type, schemas), docs.get(field.name, ""))
        for field in msgspec.structs.fields(message)
    }


def _described(schema: _Json, text: str) -> _Json:
    if not text:
        return schema
    # Beside $ref, OpenAPI 3.0 ignores everything.
    return {"allOf": [schema], "description": text} if "$ref" in schema else schema | {"description": text}


def _add_merge_strategies(resource: ApiResource, schema: _Json, schemas: Schemas) -> None:
    """kubectl computes patches by these; they must be what the server does with the patch."""
    shape = shape_of(resource.name)
    for names, key in merge_keys_of(resource.name).items():
        found = _find(schema, names, schemas)
        if found is not None:
            found |= {"x-kubernetes-patch-merge-key": key, "x-kubernetes-patch-strategy": "merge"}
    for names, keys in shape.list_keys.items():
        found = _find(schema, names, schemas)
        if found is not None:
            found |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys.names)}
    for names in shape.atomic_maps:
        found = _find(schema, names, schemas)
        if found is not None:
            found |= {"x-kubernetes-map-type": "atomic"}


def _find(schema: _Json, names: tuple[str, ...], schemas: Schemas) -> _Json | None:
    found: _Json | None = schema
    for name in names:
        found = (found or {}).get("properties", {}).get(name)
        references = [one for one in (found, *(found or {}).get("allOf", ())) if one and "$ref" in one]
        if references:
            found = schemas[references[0]["$ref"].removeprefix(REFERENCE)]
    return found
