"""Rules of an EnvoyFilter, which is stored and not obeyed: its shape. Istio: pkg/config/validation/envoyfilter.

What is inside of a patch is Envoy's configuration, which is not looked at.
"""

from pymesh.control.model.envoy_filter import EnvoyConfigObjectMatch, EnvoyConfigObjectPatch, EnvoyFilter
from pymesh.control.model.resource import Metadata
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.control.model.validation.selector import check_label_selector, check_targets

# What each applyTo can be matched by.
_MATCHES = {
    "LISTENER": "listener",
    "FILTER_CHAIN": "listener",
    "NETWORK_FILTER": "listener",
    "HTTP_FILTER": "listener",
    "LISTENER_FILTER": "listener",
    "ROUTE_CONFIGURATION": "routeConfiguration",
    "VIRTUAL_HOST": "routeConfiguration",
    "HTTP_ROUTE": "routeConfiguration",
    "CLUSTER": "cluster",
}


def check_envoy_filter(spec: EnvoyFilter, metadata: Metadata, at: Scope) -> None:
    at.warn("has no effect: pymesh's proxies are not Envoy and do not obey an EnvoyFilter")
    check_label_selector(spec.workload_selector, at["workloadSelector"])
    check_targets(spec.target_refs, at["targetRefs"])
    is_single = spec.workload_selector is None or not spec.target_refs
    at.require(is_single, "must have only one of workloadSelector and targetRefs")
    for index, patch in enumerate(spec.config_patches):
        _check_patch(patch, at["configPatches"][index])


def _check_patch(patch: EnvoyConfigObjectPatch, at: Scope) -> None:
    at["applyTo"].require(patch.apply_to != "INVALID", "is required")
    if patch.patch is None:
        at["patch"].fail("is required")
    else:
        at["patch"]["operation"].require(patch.patch.operation != "INVALID", "is required")
        has_value = patch.patch.value or patch.patch.operation == "REMOVE"
        at["patch"]["value"].require(has_value, f"is required with {patch.patch.operation}")
    if patch.match is not None:
        _check_match(patch.match, patch.apply_to, at["match"])


def _check_match(match: EnvoyConfigObjectMatch, apply_to: str, at: Scope) -> None:
    objects = {
        "listener": match.listener,
        "routeConfiguration": match.route_configuration,
        "cluster": match.cluster,
        "waypoint": match.waypoint,
    }
    chosen = [name for name, value in objects.items() if value is not None]
    at.require(len(chosen) <= 1, f"must have only one of {', '.join(objects)}")
    wanted = _MATCHES.get(apply_to)
    if wanted is not None and len(chosen) == 1 and match.context != "WAYPOINT":
        at.require(chosen[0] == wanted, f"applyTo {apply_to} is matched by {wanted}, not by {chosen[0]}")
    version = match.proxy.get("proxyVersion")
    if isinstance(version, str):
        syntax.check_regex(version, at["proxy"]["proxyVersion"])
