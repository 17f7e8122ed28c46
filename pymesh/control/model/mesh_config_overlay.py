"""One MeshConfig over another, as JSON values: only those tell what was said from what is a default.

Istio: ApplyMeshConfig in pkg/config/mesh.
"""

from typing import Any

Fields = dict[str, Any]

_MERGED = ("defaultConfig", "defaultProviders")  # member by member
_PROVIDERS, _ALIASES = "extensionProviders", "trustDomainAliases"


def overlay_mesh_config(base: Fields, over: Fields) -> Fields:
    """A field that `over` has counts whole, but for those which Istio merges: providers by their names, aliases of the
    trust domain, and the members of `defaultConfig` and `defaultProviders`."""
    base, said = _without_nulls(base), _without_nulls(over)
    merged = base | said
    for name in base.keys() & said.keys():
        if name in _MERGED:
            merged[name] = base[name] | _without_nulls(said[name])
        elif name == _PROVIDERS:
            merged[name] = list((_by_name(base[name]) | _by_name(said[name])).values())
        elif name == _ALIASES:
            merged[name] = list(dict.fromkeys([*base[name], *said[name]]))
    return merged


def _without_nulls(fields: Fields) -> Fields:
    return {name: value for name, value in fields.items() if value is not None}


def _by_name(providers: list[Fields]) -> dict[str, Fields]:
    return {provider["name"]: provider for provider in providers}
