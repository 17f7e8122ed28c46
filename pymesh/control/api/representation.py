"""How resources are written into responses: an object, a List, or a Table for printing.

https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pymesh.control.api.columns import columns_of
from pymesh.control.model.kinds import Kind
from pymesh.control.model.resource import Resource
from pymesh.control.model.serializer import encode

_META_FIELDS = ("name", "namespace", "labels", "annotations", "creationTimestamp", "resourceVersion", "uid")


def wants_table(accept: str) -> bool:
    """Whether the client's first choice is a Table: `application/json;as=Table;v=v1;g=meta.k8s.io`."""
    parameters = [parameter.strip() for parameter in accept.partition(",")[0].split(";")]
    return "as=Table" in parameters and "v=v1" in parameters


def build_list(kind: Kind, resources: Sequence[Resource[Any]], revision: int, api_version: str) -> dict[str, Any]:
    return {
        "apiVersion": api_version,
        "kind": f"{kind.name}List",
        "metadata": {"resourceVersion": str(revision)},
        "items": [encode(resource, api_version) for resource in resources],
    }


def build_table(kind: Kind, resources: Sequence[Resource[Any]], revision: int, now: datetime) -> dict[str, Any]:
    columns = columns_of(kind)
    return {
        "apiVersion": "meta.k8s.io/v1",
        "kind": "Table",
        "metadata": {"resourceVersion": str(revision)},
        "columnDefinitions": [_column_definition(column.name, column.is_wide) for column in columns],
        "rows": [_build_row(kind, encode(resource), now) for resource in resources],
    }


def _column_definition(name: str, is_wide: bool) -> dict[str, Any]:
    form = "name" if name == "Name" else ""
    return {"name": name, "type": "string", "format": form, "description": "", "priority": 1 if is_wide else 0}


def _build_row(kind: Kind, item: dict[str, Any], now: datetime) -> dict[str, Any]:
    metadata = {key: value for key, value in item["metadata"].items() if key in _META_FIELDS}
    return {
        "cells": [column.read(item, now) for column in columns_of(kind)],
        "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata},
    }
