"""What a request is about: the resource that its path names, and how its answer is to look."""

from collections.abc import Collection
from typing import NamedTuple

from aiohttp import web

from pymesh.control.api.api_resources import ApiResource, resource_at
from pymesh.control.api.negotiation import Accepted, Representation, negotiate
from pymesh.control.api.representation import Form, IncludeObject
from pymesh.control.api.resource_path import ResourcePath, parse_resource_path
from pymesh.control.api.status import RequestError
from pymesh.control.model.kinds import Kind
from pymesh.control.model.resource import Key


class Target(NamedTuple):
    """`path.name` empty: the collection."""

    resource: ApiResource
    path: ResourcePath

    @property
    def kind(self) -> Kind:
        """Only of what is kept."""
        assert self.resource.kind is not None, self.resource
        return self.resource.kind

    @property
    def api_version(self) -> str:
        return self.path.api_version

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def namespace(self) -> str | None:
        """None: of all of them. Empty for a kind that is in none."""
        return self.path.namespace if self.resource.is_namespaced else ""

    @property
    def key(self) -> Key:
        return Key(self.resource.name, self.namespace or "", self.name)


def find_target(request: web.Request) -> Target:
    """Raises RequestError (404)."""
    path = parse_resource_path(request.path)
    resource = path and resource_at(path.group, path.version, path.plural)
    if path is None or not resource:
        raise not_found()
    is_misplaced = path.namespace is not None and not resource.is_namespaced
    needs_namespace = path.name and resource.is_namespaced and path.namespace is None
    is_unknown_part = path.subresource and path.subresource not in resource.subresources
    if is_misplaced or needs_namespace or is_unknown_part:
        raise not_found()
    return Target(resource, path)


def not_found() -> RequestError:
    return RequestError("the server could not find the requested resource", 404, "NotFound")


def accepted_of(request: web.Request, offered: Collection[Representation] = ()) -> Accepted:
    """Raises RequestError (406)."""
    return negotiate(",".join(request.headers.getall("Accept", [])), offered)


def form_of(request: web.Request, target: Target, accepted: Accepted) -> Form:
    """Raises RequestError."""
    include = request.query.get("includeObject") or "Metadata"
    choices: dict[str, IncludeObject] = {"None": "None", "Metadata": "Metadata", "Object": "Object"}
    if include not in choices:
        raise RequestError("includeObject must be None, Metadata or Object")
    return Form(target.kind, target.api_version, accepted.representation, choices[include])
