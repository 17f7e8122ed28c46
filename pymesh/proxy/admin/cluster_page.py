"""/clusters in Envoy's text form: a line a value, `cluster::field::value` and `cluster::address::field::value`."""

from collections.abc import Iterator, Mapping
from typing import Any


def render_clusters(clusters: list[dict[str, Any]]) -> str:
    """Of what upstream.Cluster.describe returns: `name`, `endpoints` with an `address` each, any other fields."""
    return "".join(f"{line}\n" for cluster in clusters for line in _cluster_lines(cluster))


def _cluster_lines(cluster: Mapping[str, Any]) -> Iterator[str]:
    name = cluster["name"]
    yield from _lines(name, cluster, skip=("name", "endpoints"))
    for endpoint in cluster["endpoints"]:
        yield from _lines(f"{name}::{endpoint['address']}", endpoint, skip=("address",))


def _lines(head: str, fields: Mapping[str, Any], skip: tuple[str, ...]) -> Iterator[str]:
    for key, value in fields.items():
        if isinstance(value, Mapping):
            yield from _lines(f"{head}::{key}", value, skip=("limit",))  # Envoy's name for it is `max_...`
        elif key not in skip:
            yield f"{head}::{key}::{value}"
