"""What one proxy is to have: xDS resources with the versions of their content. Pure."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from pymesh.xds import TYPES, Resource

_DIGEST_BYTES = 8


class VersionedResource(NamedTuple):
    version: str
    resource: Resource


Resources = Mapping[str, VersionedResource]  # by name, all of one type
Content = Mapping[str, Resources]  # by type URL

EMPTY: Content = {type_url: {} for type_url in TYPES}


def content_version(resource: Resource) -> str:
    """The same for the same content, however often and in whatever order of keys it is built."""
    canonical = msgspec.json.encode(resource, order="sorted")
    return hashlib.blake2b(canonical, digest_size=_DIGEST_BYTES).hexdigest()


def versioned(built: Mapping[str, Mapping[str, Resource]], previous: Content = EMPTY) -> Content:
    """All types, each resource with its version. What is the very object of `previous` is not hashed again."""
    return {
        type_url: {
            name: _versioned(resource, previous[type_url].get(name))
            for name, resource in built.get(type_url, {}).items()
        }
        for type_url in TYPES
    }


def collection_version(resources: Resources, names: Iterable[str]) -> str:
    """The version of these resources together, for Envoy's REST form, which has one for all of an answer."""
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for name in sorted(names):
        digest.update(f"{name}\0{resources[name].version}\0".encode())
    return digest.hexdigest()


def _versioned(resource: Resource, known: VersionedResource | None) -> VersionedResource:
    if known is not None and known.resource is resource:
        return known
    return VersionedResource(content_version(resource), resource)
