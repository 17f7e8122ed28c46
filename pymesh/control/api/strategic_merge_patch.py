"""Strategic merge patch, which kubectl sends for Kubernetes' own kinds: lists of known keys are merged item by item.
Pure.

https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
"""

from typing import Any

from pymesh.control.api.status import RequestError

_Names = tuple[str, ...]
_Json = dict[str, Any]

# By the names of the fields that lead to a list, the field by which its items are known: Kubernetes' patchMergeKey.
_MERGE_KEYS: dict[str, dict[_Names, str]] = {
    "Service": {("spec", "ports"): "port", ("status", "conditions"): "type"},
    "ServiceAccount": {("secrets",): "name", ("imagePullSecrets",): "name"},
    "Namespace": {("status", "conditions"): "type"},
}
_OF_METADATA: dict[_Names, str] = {("metadata", "ownerReferences"): "uid"}
_SETS: tuple[_Names, ...] = (("metadata", "finalizers"),)  # lists of words that are united

# Of kinds that mean nothing here, where their pods are described, and what of a pod is known by which field.
_POD_SPECS: dict[str, _Names] = {
    **dict.fromkeys(
        ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController"),
        ("spec", "template", "spec"),
    ),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    "PodTemplate": ("template", "spec"),
    "Pod": ("spec",),
}
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_OF_CONTAINERS = {"env": "name", "ports": "containerPort", "volumeMounts": "mountPath", "volumeDevices": "devicePath"}
_OF_PODS = {
    "volumes": "name",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
}

_PATCH = "$patch"
_RETAIN_KEYS = "$retainKeys"
_ORDER = "$setElementOrder/"
_DELETE_VALUES = "$deleteFromPrimitiveList/"


def merge_keys_of(kind_name: str) -> dict[_Names, str]:
    pods = _POD_SPECS.get(kind_name)
    return _OF_METADATA | _MERGE_KEYS.get(kind_name, {}) | (_keys_of_pods(pods) if pods else {})


def _keys_of_pods(spec: _Names) -> dict[_Names, str]:
    keys = {(*spec, name): key for name, key in _OF_PODS.items()}
    for containers in _CONTAINERS:
        keys[(*spec, containers)] = "name"
        keys |= {(*spec, containers, name): key for name, key in _OF_CONTAINERS.items()}
    return keys


def apply_strategic_merge_patch(target: Any, patch: Any, kind_name: str) -> Any:
    """The patched object. Raises RequestError for a patch that contradicts itself."""
    if not isinstance(patch, dict):
        raise RequestError("a strategic merge patch is an object")
    return _merge_object(target, patch, (), merge_keys_of(kind_name))


def _merge_object(target: Any, patch: _Json, names: _Names, keys: dict[_Names, str]) -> Any:
    directive = patch.get(_PATCH)
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != _PATCH}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise RequestError(f"{_PATCH}: must be replace, merge or delete, not {directive!r}")
    merged = _retained(dict(target) if isinstance(target, dict) else {}, patch)
    for key, value in patch.items():
        if key.startswith(_DELETE_VALUES):
            name = key.removeprefix(_DELETE_VALUES)
            gone = _expect_list(value, key)
            merged[name] = [item for item in _expect_list(merged.get(name) or [], name) if item not in gone]
        elif key.startswith("$"):
            continue
        elif value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge_value(merged.get(key), value, (*names, key), keys)
    return _ordered(merged, patch, names, keys)


def _retained(target: _Json, patch: _Json) -> _Json:
    if _RETAIN_KEYS not in patch:
        return target
    retained = _expect_list(patch[_RETAIN_KEYS], _RETAIN_KEYS)
    return {key: value for key, value in target.items() if key in retained}


def _merge_value(target: Any, value: Any, names: _Names, keys: dict[_Names, str]) -> Any:
    if isinstance(value, dict):
        return _merge_object(target, value, names, keys)
    if isinstance(value, list) and names in keys:
        return _merge_list(target if isinstance(target, list) else [], value, names, keys)
    if isinstance(value, list) and names in _SETS:
        return [*(item for item in target or () if item not in value), *value]
    return value


def _merge_list(target: list[Any], patch: list[Any], names: _Names, keys: dict[_Names, str]) -> list[Any]:
    items = [_expect_object(item, names) for item in patch]
    if any(item == {_PATCH: "replace"} for item in items):
        return [item for item in items if item != {_PATCH: "replace"}]
    key = keys[names]
    merged = [_expect_object(item, names) for item in target]
    for item in items:
        if item.get(key) is None:
            raise RequestError(f"{'.'.join(names)}: an item of the patch has no {key}, by which it is known")
        place = next((at for at, one in enumerate(merged) if one.get(key) == item[key]), None)
        if item.get(_PATCH) == "delete":
            merged = [one for one in merged if one.get(key) != item[key]]
        elif place is None:
            merged.append(_merge_object({}, item, names, keys))
        else:
            merged[place] = _merge_object(merged[place], item, names, keys)
    return merged


def _ordered(merged: _Json, patch: _Json, names: _Names, keys: dict[_Names, str]) -> _Json:
    """`$setElementOrder/ports` lists the keys of all items that the author knows, in his order."""
    for directive, order in patch.items():
        name = directive.removeprefix(_ORDER)
        if not directive.startswith(_ORDER) or not isinstance(merged.get(name), list) or not isinstance(order, list):
            continue
        key = keys.get((*names, name))
        places = {_identity(item, key): place for place, item in enumerate(order)}
        merged[name] = sorted(merged[name], key=lambda item: places.get(_identity(item, key), len(order)))
    return merged


def _identity(item: Any, key: str | None) -> str:
    return repr(item.get(key) if key is not None and isinstance(item, dict) else item)


def _expect_list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise RequestError(f"{name}: must be a list")
    return value


def _expect_object(item: Any, names: _Names) -> _Json:
    if not isinstance(item, dict):
        raise RequestError(f"{'.'.join(names)}: the items must be objects")
    return item
