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


class Versions:
    """Versions resources by identity, so that what many proxies share is hashed once. For the time of one snapshot."""

    def __init__(self) -> None:
        self._known: dict[int, VersionedResource] = {}  # holds the resources too: no id is used again meanwhile

    def of(self, resource: Resource) -> VersionedResource:
        known = self._known.get(id(resource))
        if known is None:
            known = self._known[id(resource)] = VersionedResource(content_version(resource), resource)
        return known

    def of_all(self, built: Mapping[str, Mapping[str, Resource]]) -> Content:
        """All types, also those of which nothing was built."""
        return {
            type_url: {name: self.of(resource) for name, resource in built.get(type_url, {}).items()}
            for type_url in TYPES
        }


def collection_version(resources: Resources, names: Iterable[str]) -> str:
    """The version of these resources together, for Envoy's REST form, which has one for all of an answer."""
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for name in sorted(names):
        digest.update(f"{name}\0{resources[name].version}\0".encode())
    return digest.hexdigest()
