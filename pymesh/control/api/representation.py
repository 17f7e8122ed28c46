"""How resources are written into responses: whole, their metadata alone, or as rows of a Table for printing. Pure.

https://kubernetes.io/docs/reference/using-api/api-concepts/#alternate-representations-of-resources
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from pymesh.control.api.columns import columns_of, utc_now
from pymesh.control.api.negotiation import PARTIAL_LIST, PARTIAL_OBJECT, TABLE, Representation
from pymesh.control.model.kinds import Kind
from pymesh.control.model.resource import Resource
from pymesh.control.model.serializer import encode

OBJECTS = (TABLE, PARTIAL_OBJECT)
LISTS = (TABLE, PARTIAL_LIST)

IncludeObject = Literal["None", "Metadata", "Object"]

_META_VERSION = "meta.k8s.io/v1"

_Json = dict[str, Any]


class Form(NamedTuple):
    """How a client wants objects of a kind. `include`: what each row of a Table has of its object; ages in it are
    those by `clock`."""

    kind: Kind
    api_version: str
    representation: Representation
    include: IncludeObject
    clock: Callable[[], datetime] = utc_now

    def build_object(self, resource: Resource[Any]) -> _Json:
        if self.representation == TABLE:
            return self._build_table([resource], {"resourceVersion": resource.metadata.resource_version})
        if self.representation == PARTIAL_OBJECT:
            return _partial_object(self._encode(resource))
        return self._encode(resource)

    def build_list(self, resources: Sequence[Resource[Any]], metadata: _Json) -> _Json:
        if self.representation == TABLE:
            return self._build_table(resources, metadata)
        items = [self._encode(resource) for resource in resources]
        if self.representation == PARTIAL_LIST:
            partial = [_partial_object(item) for item in items]
            return _list("PartialObjectMetadataList", _META_VERSION, metadata, partial)
        return _list(f"{self.kind.name}List", self.api_version, metadata, items)

    def build_bookmark(self, revision: int, ends_initial: bool) -> _Json:
        """An object that says nothing but how far the watch is."""
        metadata: _Json = {"resourceVersion": str(revision), "creationTimestamp": None}
        if ends_initial:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        bookmark = {"kind": self.kind.name, "apiVersion": self.api_version, "metadata": metadata}
        if self.representation == TABLE:
            row = {"cells": [None] * len(columns_of(self.kind)), "object": _partial_object(bookmark)}
            return self._build_table([], {"resourceVersion": str(revision)}) | {"rows": [row]}
        return _partial_object(bookmark) if self.representation in (PARTIAL_OBJECT, PARTIAL_LIST) else bookmark

    def _encode(self, resource: Resource[Any]) -> _Json:
        return encode(resource, self.api_version)

    def _build_table(self, resources: Sequence[Resource[Any]], metadata: _Json) -> _Json:
        columns = [_column_definition(column.name, column.is_wide) for column in columns_of(self.kind)]
        return {
            "kind": "Table",
            "apiVersion": _META_VERSION,
            "metadata": metadata,
            "columnDefinitions": columns,
            "rows": [self._build_row(self._encode(resource)) for resource in resources],
        }

    def _build_row(self, item: _Json) -> _Json:
        row: _Json = {"cells": [column.read(item, self.clock()) for column in columns_of(self.kind)]}
        if self.include != "None":
            row["object"] = item if self.include == "Object" else _partial_object(item)
        return row


def _list(kind: str, api_version: str, metadata: _Json, items: list[_Json]) -> _Json:
    return {"kind": kind, "apiVersion": api_version, "metadata": metadata, "items": items}


def _partial_object(item: _Json) -> _Json:
    return {"kind": "PartialObjectMetadata", "apiVersion": _META_VERSION, "metadata": item["metadata"]}


def _column_definition(name: str, is_wide: bool) -> _Json:
    form = "name" if name == "Name" else ""
    return {"name": name, "type": "string", "format": form, "description": "", "priority": 1 if is_wide else 0}
