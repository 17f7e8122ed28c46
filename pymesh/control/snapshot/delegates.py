"""VirtualServices without hosts, to which others delegate routes: merged into those, once for all proxies. Pure.

Istio: mergeVirtualServicesIfNeeded in pilot/pkg/model/virtualservice.go.
"""

from collections.abc import Iterator
from typing import NamedTuple

from msgspec.structs import replace

from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.model.messages import Destination, StringMatch
from pymesh.control.model.resource import Resource
from pymesh.control.model.virtual_service import HTTPMatchRequest, HTTPRoute, VirtualService
from pymesh.control.snapshot.virtual_services import RouteOrigin
from pymesh.control.snapshot.visibility import visibility
from pymesh.names import resolve_gateway, resolve_host

VirtualServiceResource = Resource[VirtualService]

# What the root's route says where the delegate's says nothing.
_INHERITED = (
    "rewrite",
    "timeout",
    "retries",
    "fault",
    "mirror",
    "mirrors",
    "mirror_percent",
    "mirror_percentage",
    "cors_policy",
    "headers",
)
_UNSET = (None, "", ())


class Merged(NamedTuple):
    """`origins`: where each HTTP route stands; empty: all of them where the resource has them."""

    resource: VirtualServiceResource
    origins: tuple[RouteOrigin, ...] = ()


def merge_delegates(resources: list[VirtualServiceResource], mesh: MeshConfig) -> list[Merged]:
    """Those with hosts, whose delegated routes are those of the delegates. One that is missing, or not exported to the
    root's namespace, takes only its route away."""
    delegates = {(item.namespace, item.name): item for item in resources if not item.spec.hosts}
    return [_with_delegates(item, delegates, mesh) for item in resources if item.spec.hosts]


def _with_delegates(
    root: VirtualServiceResource, delegates: dict[tuple[str, str], VirtualServiceResource], mesh: MeshConfig
) -> Merged:
    if not any(route.delegate is not None for route in root.spec.http):
        return Merged(root)
    routes: list[tuple[HTTPRoute, RouteOrigin]] = []
    for i, route in enumerate(root.spec.http):
        if route.delegate is None:
            routes.append((route, RouteOrigin(root.key, i)))
            continue
        found = delegates.get((route.delegate.namespace or root.namespace, route.delegate.name))
        if found is not None and _is_visible(found, root.namespace, mesh):
            routes += _merge(_with_full_names(route, root.namespace), found)
    merged = replace(root, spec=replace(root.spec, http=tuple(route for route, _ in routes)))
    return Merged(merged, tuple(origin for _, origin in routes))


def _is_visible(delegate: VirtualServiceResource, namespace: str, mesh: MeshConfig) -> bool:
    default = mesh.default_virtual_service_export_to
    return visibility(delegate.spec.export_to, default, delegate.namespace).includes(namespace)


def _merge(root: HTTPRoute, delegate: VirtualServiceResource) -> Iterator[tuple[HTTPRoute, RouteOrigin]]:
    """A route that matches what the root's does not is dropped."""
    for i, route in enumerate(delegate.spec.http):
        own = _with_full_names(route, delegate.namespace)
        match = _merge_matches(root.match, own.match)
        if match is None:
            continue
        inherited = {name: getattr(root, name) for name in _INHERITED if getattr(own, name) in _UNSET}
        merged = replace(own, match=match, name=_joined(root.name, own.name), **inherited)
        yield merged, RouteOrigin(delegate.key, i)


def _merge_matches(
    root: tuple[HTTPMatchRequest, ...], delegate: tuple[HTTPMatchRequest, ...]
) -> tuple[HTTPMatchRequest, ...] | None:
    """Each of the delegate's must be narrower than some of the root's; None if one is not."""
    if not root or not delegate:
        return root or delegate
    merged: list[HTTPMatchRequest] = []
    for narrow in delegate:
        found = [_merge_match(wide, narrow) for wide in root if not _conflicts(wide, narrow)]
        if not found:
            return None
        merged += found
    return tuple(merged)


def _merge_match(root: HTTPMatchRequest, delegate: HTTPMatchRequest) -> HTTPMatchRequest:
    return replace(
        delegate,
        name=_joined(root.name, delegate.name),
        uri=delegate.uri or root.uri,
        scheme=delegate.scheme or root.scheme,
        method=delegate.method or root.method,
        authority=delegate.authority or root.authority,
        headers={**root.headers, **delegate.headers},
        without_headers={**root.without_headers, **delegate.without_headers},
        query_params={**root.query_params, **delegate.query_params},
        port=delegate.port or root.port,
        source_labels={**root.source_labels, **delegate.source_labels},
        source_namespace=delegate.source_namespace or root.source_namespace,
        gateways=delegate.gateways or root.gateways,
        stat_prefix=delegate.stat_prefix or root.stat_prefix,
    )


def _conflicts(root: HTTPMatchRequest, leaf: HTTPMatchRequest) -> bool:
    pairs = [
        (root.uri, leaf.uri),
        (root.scheme, leaf.scheme),
        (root.method, leaf.method),
        (root.authority, leaf.authority),
        *((root.headers.get(name), match) for name, match in leaf.headers.items()),
        *((root.without_headers.get(name), match) for name, match in leaf.without_headers.items()),
        *((root.query_params.get(name), match) for name, match in leaf.query_params.items()),
    ]
    if any(_is_outside(wide, narrow) for wide, narrow in pairs):
        return True
    if root.ignore_uri_case != leaf.ignore_uri_case:
        return True
    if root.port and leaf.port and root.port != leaf.port:
        return True
    return _is_outside_sources(root, leaf)


def _is_outside_sources(root: HTTPMatchRequest, leaf: HTTPMatchRequest) -> bool:
    """A namespace that the root asks for must be said again, as in Istio; labels and gateways need not be."""
    if root.source_namespace and root.source_namespace != leaf.source_namespace:
        return True
    if any(root.source_labels.get(name, value) != value for name, value in leaf.source_labels.items()):
        return True
    return bool(root.gateways and not set(leaf.gateways) <= set(root.gateways))


def _is_outside(root: StringMatch | None, leaf: StringMatch | None) -> bool:
    """Whether the leaf may match what the root does not; of regexes nobody can tell."""
    if root is None or leaf is None:
        return False
    if root.regex or leaf.regex:
        return True
    if root.exact:
        return leaf.exact != root.exact
    narrow = leaf.prefix or leaf.exact
    return not (root.prefix and narrow and narrow.startswith(root.prefix))


def _joined(root: str, own: str) -> str:
    return "-".join(part for part in (root, own) if part)


def _with_full_names(route: HTTPRoute, namespace: str) -> HTTPRoute:
    """A short name is of the namespace of the rule that uses it: the delegate's or the root's."""

    def full(destination: Destination | None) -> Destination | None:
        if destination is None:
            return None
        return replace(destination, host=resolve_host(destination.host, namespace))

    def resolved(match: HTTPMatchRequest) -> HTTPMatchRequest:
        return replace(match, gateways=tuple(resolve_gateway(name, namespace) for name in match.gateways))

    return replace(
        route,
        match=tuple(resolved(item) for item in route.match),
        route=tuple(replace(item, destination=full(item.destination)) for item in route.route),
        mirror=full(route.mirror),
        mirrors=tuple(replace(item, destination=full(item.destination)) for item in route.mirrors),
    )
