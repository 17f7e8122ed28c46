"""What a route asks of the metadata of endpoints: pairs that can be compared and looked up. Pure.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/subsets
"""

import json
from collections.abc import Mapping
from typing import Any

from pymesh.names import LB_METADATA
from pymesh.protojson import Reader

# Pairs of key and frozen value, by key.
MetadataMatch = tuple[tuple[str, str], ...]


def freeze(value: Any) -> str:
    """A metadata value as text. All numbers are doubles there."""
    return json.dumps(_as_doubles(value), sort_keys=True)


def freeze_match(metadata: Mapping[str, Any]) -> MetadataMatch:
    return tuple((key, freeze(metadata[key])) for key in sorted(metadata))


def decode_metadata_match(reader: Reader) -> Mapping[str, Any]:
    """Of `metadata_match`, in a route action or a weighted cluster, what is meant for load balancers."""
    metadata = reader.object("metadata_match")
    if metadata is None:
        return {}
    metadata.ignore("typed_filter_metadata")
    found = metadata.map("filter_metadata").get(LB_METADATA)
    return found if isinstance(found, Mapping) else {}


def _as_doubles(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _as_doubles(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_doubles(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
