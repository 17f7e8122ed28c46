"""/openapi/v3: an index, and a document for each group and version. kubectl reads types, texts and the parameters of
requests from it (`kubectl explain`, `kubectl apply`). Pure; documents are built when the first client asks.

https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-v3
"""

import hashlib
from functools import cache
from typing import Any

import msgspec

from pymesh import __version__
from pymesh.control.api.api_resources import API_RESOURCES, ApiResource, groups_of
from pymesh.control.api.openapi_schemas import REFERENCE, Schemas, add_resource

_Json = dict[str, Any]

_WRITE_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation")
_PARAMETERS = {
    "post": _WRITE_PARAMETERS,
    "put": _WRITE_PARAMETERS,
    "patch": (*_WRITE_PARAMETERS, "force"),
    "delete": ("dryRun", "propagationPolicy"),
}
_ACTIONS = {"get": "get", "put": "put", "patch": "patch", "delete": "delete", "post": "post"}


@cache
def encode_index() -> bytes:
    paths = {path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={document_hash(path)}"} for path in _documents()}
    return msgspec.json.encode({"paths": paths})


def encode_document(path: str) -> bytes | None:
    """`path`: `api/v1` or `apis/<group>/<version>`. None where there is no such group and version."""
    return _encode(path) if path in _documents() else None


def document_hash(path: str) -> str:
    return hashlib.sha256(_encode(path)).hexdigest().upper()


@cache
def _documents() -> dict[str, tuple[str, str]]:
    groups = groups_of(API_RESOURCES)
    pairs = [(group, version) for group, versions in groups.items() for version in versions]
    return {f"apis/{group}/{version}" if group else f"api/{version}": (group, version) for group, version in pairs}


@cache
def _encode(path: str) -> bytes:
    group, version = _documents()[path]
    resources = [one for one in API_RESOURCES if one.group == group and version in one.versions]
    schemas: Schemas = {}
    paths: _Json = {}
    for resource in resources:
        reference = {"$ref": REFERENCE + add_resource(schemas, resource, version)}
        paths |= build_paths(f"/{path}", resource, version, reference)
    document = {
        "openapi": "3.0.0",
        "info": {"title": "pymesh", "version": __version__},
        "paths": paths,
        "components": {"schemas": schemas},
    }
    return msgspec.json.encode(document)


def build_paths(root: str, resource: ApiResource, version: str, reference: _Json) -> _Json:
    collection = f"{root}/namespaces/{{namespace}}" if resource.is_namespaced else root
    collection = f"{collection}/{resource.plural}"
    kind = {"group": resource.group, "version": version, "kind": resource.name}
    if resource.verbs == ("create",):
        return {collection: _operations(("post",), kind, reference)}
    return {
        collection: _operations(("get", "post"), kind, reference),
        f"{collection}/{{name}}": _operations(("get", "put", "patch", "delete"), kind, reference),
    }


def _operations(methods: tuple[str, ...], kind: _Json, reference: _Json) -> _Json:
    return {method: _operation(method, kind, reference) for method in methods}


def _operation(method: str, kind: _Json, reference: _Json) -> _Json:
    content = {"application/json": {"schema": reference}}
    operation: _Json = {
        "parameters": [
            {"name": name, "in": "query", "schema": {"type": "string"}} for name in _PARAMETERS.get(method, ())
        ],
        "responses": {"200": {"description": "OK", "content": content}},
        "x-kubernetes-action": _ACTIONS[method],
        "x-kubernetes-group-version-kind": kind,
    }
    return operation | ({"requestBody": {"content": content}} if method in ("post", "put") else {})
