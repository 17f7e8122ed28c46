"""Istio's global order of objects: creation time, then name, then namespace. Pure."""

from collections.abc import Iterable
from typing import NamedTuple, TypeVar

from pymesh.control.model.messages import Message
from pymesh.control.model.resource import Resource

SpecT = TypeVar("SpecT", bound=Message)


class CreationOrder(NamedTuple):
    """Compares as Istio's configCompareByCreationTime; RFC 3339 with microseconds sorts as text."""

    timestamp: str
    name: str
    namespace: str


def creation_order(resource: Resource[Message]) -> CreationOrder:
    metadata = resource.metadata
    return CreationOrder(metadata.creation_timestamp, metadata.name, metadata.namespace)


def oldest_first(resources: Iterable[Resource[SpecT]]) -> list[Resource[SpecT]]:
    return sorted(resources, key=creation_order)
