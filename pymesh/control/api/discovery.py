"""How clients find out what there is: /version, /api, /apis and what is below, one by one or in one answer. Pure.

https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
"""

import platform
from typing import Any

from pymesh import __version__
from pymesh.control.api.api_resources import API_RESOURCES, ApiResource, groups_of
from pymesh.control.api.negotiation import Representation

AGGREGATED = (
    Representation("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2"),
    Representation("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2beta1"),
)

_GROUPS = groups_of(API_RESOURCES)

_Json = dict[str, Any]


def build_version() -> _Json:
    """The version of Kubernetes' API that this one follows; clients decide by it what they may ask for."""
    return {
        "major": "1",
        "minor": "30",
        "gitVersion": f"v1.30.0+pymesh-{__version__}",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": platform.python_implementation(),
        "platform": f"{platform.system().lower()}/{platform.machine()}",
    }


def build_core_versions() -> _Json:
    return {"kind": "APIVersions", "versions": _GROUPS[""], "serverAddressByClientCIDRs": []}


def build_group_list() -> _Json:
    groups = [_build_group(group) for group in _GROUPS if group]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def build_group(group: str) -> _Json | None:
    """None where there is no such group."""
    return {"kind": "APIGroup", "apiVersion": "v1", **_build_group(group)} if group and group in _GROUPS else None


def build_resource_list(group: str, version: str) -> _Json | None:
    """None where the group has no such version."""
    if version not in _GROUPS.get(group, ()):
        return None
    resources = [item for one in _resources(group, version) for item in _build_resources(one)]
    group_version = _group_version(group, version)
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}


def build_aggregated(is_core: bool, version: str) -> _Json:
    """Of the core group or of all others; `version` is that of apidiscovery.k8s.io."""
    items = [_build_aggregated_group(group) for group in _GROUPS if (group == "") == is_core]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": items,
    }


def _build_group(group: str) -> _Json:
    versions = [{"groupVersion": _group_version(group, version), "version": version} for version in _GROUPS[group]]
    return {"name": group, "versions": versions, "preferredVersion": versions[0]}


def _build_resources(one: ApiResource) -> list[_Json]:
    whole: _Json = {
        "name": one.plural,
        "singularName": one.singular,
        "namespaced": one.is_namespaced,
        "kind": one.name,
        "verbs": list(one.verbs),
    }
    whole |= {"shortNames": list(one.short_names)} if one.short_names else {}
    whole |= {"categories": list(one.categories)} if one.categories else {}
    parts = [
        {
            "name": f"{one.plural}/{part}",
            "singularName": "",
            "namespaced": one.is_namespaced,
            "kind": one.name,
            "verbs": ["get", "patch", "update"],
        }
        for part in one.subresources
    ]
    return [whole, *parts]


def _build_aggregated_group(group: str) -> _Json:
    versions = [
        {
            "version": version,
            "resources": [_build_aggregated_resource(one, version) for one in _resources(group, version)],
            "freshness": "Current",
        }
        for version in _GROUPS[group]
    ]
    return {"metadata": {"name": group, "creationTimestamp": None}, "versions": versions}


def _build_aggregated_resource(one: ApiResource, version: str) -> _Json:
    kind = {"group": one.group, "version": version, "kind": one.name}
    built: _Json = {
        "resource": one.plural,
        "responseKind": kind,
        "scope": "Namespaced" if one.is_namespaced else "Cluster",
        "singularResource": one.singular,
        "verbs": list(one.verbs),
    }
    built |= {"shortNames": list(one.short_names)} if one.short_names else {}
    built |= {"categories": list(one.categories)} if one.categories else {}
    parts = [
        {"subresource": part, "responseKind": kind, "verbs": ["get", "patch", "update"]} for part in one.subresources
    ]
    return built | ({"subresources": parts} if parts else {})


def _resources(group: str, version: str) -> list[ApiResource]:
    return [one for one in API_RESOURCES if one.group == group and version in one.versions]


def _group_version(group: str, version: str) -> str:
    return f"{group}/{version}" if group else version
