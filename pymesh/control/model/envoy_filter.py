"""EnvoyFilter: patches of Envoy's own configuration. Stored and shown; proxies do not obey it.

https://istio.io/latest/docs/reference/config/networking/envoy-filter/
"""

from typing import Any, Literal

from pymesh.control.model.messages import LabelSelector, Message
from pymesh.control.model.targets import PolicyTargetReference

ApplyTo = Literal[
    "INVALID",
    "LISTENER",
    "FILTER_CHAIN",
    "NETWORK_FILTER",
    "HTTP_FILTER",
    "ROUTE_CONFIGURATION",
    "VIRTUAL_HOST",
    "HTTP_ROUTE",
    "CLUSTER",
    "EXTENSION_CONFIG",
    "BOOTSTRAP",
    "LISTENER_FILTER",
]
PatchOperation = Literal[
    "INVALID", "MERGE", "ADD", "REMOVE", "INSERT_BEFORE", "INSERT_AFTER", "INSERT_FIRST", "REPLACE"
]
FilterClass = Literal["UNSPECIFIED", "AUTHN", "AUTHZ", "STATS"]
PatchContext = Literal["ANY", "SIDECAR_INBOUND", "SIDECAR_OUTBOUND", "GATEWAY", "WAYPOINT"]


class EnvoyConfigObjectMatch(Message):
    """oneof object_types: listener, route_configuration, cluster, waypoint."""

    context: PatchContext = "ANY"
    """Which listeners and clusters: inbound, outbound, a gateway's."""
    proxy: dict[str, Any] = {}
    """Which proxies, by version and metadata."""
    listener: dict[str, Any] | None = None
    """Which listener, filter chain and filter."""
    route_configuration: dict[str, Any] | None = None
    """Which route configuration, virtual host and route."""
    cluster: dict[str, Any] | None = None
    """Which cluster."""
    waypoint: dict[str, Any] | None = None
    """Which part of a waypoint proxy."""


class Patch(Message):
    operation: PatchOperation = "INVALID"
    """What is done with the value."""
    value: dict[str, Any] = {}
    """A part of Envoy's configuration."""
    filter_class: FilterClass = "UNSPECIFIED"
    """Before which of Istio's filters it stands."""


class EnvoyConfigObjectPatch(Message):
    apply_to: ApplyTo = "INVALID"
    """What kind of Envoy's configuration is patched."""
    match: EnvoyConfigObjectMatch | None = None
    """Which objects of that kind."""
    patch: Patch | None = None
    """What is done to them."""


class EnvoyFilter(Message):
    """pymesh's proxies are not Envoy: it is kept and reported, and has no effect."""

    workload_selector: LabelSelector | None = None
    """Labels of the workloads; all of the namespace where it is absent."""
    target_refs: tuple[PolicyTargetReference, ...] = ()
    """Gateways of the Gateway API, or services."""
    config_patches: tuple[EnvoyConfigObjectPatch, ...] = ()
    """The patches, in order."""
    priority: int = 0
    """Order among EnvoyFilters; the lowest comes first."""
