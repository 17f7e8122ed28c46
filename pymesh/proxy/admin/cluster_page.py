"""/clusters: each cluster with its endpoints, as JSON or in Envoy's text form, `cluster::address::field::value`."""

from typing import Any


def describe_cluster(cluster: Any) -> dict[str, Any]:
    """Of an upstream.Cluster."""
    return {"name": cluster.name, "endpoints": [_describe_endpoint(endpoint) for endpoint in cluster.endpoints]}


def render_clusters(clusters: list[dict[str, Any]]) -> str:
    lines = []
    for cluster in clusters:
        lines.append(f"{cluster['name']}::endpoints::{len(cluster['endpoints'])}")
        for endpoint in cluster["endpoints"]:
            head = f"{cluster['name']}::{endpoint['address']}"
            lines += [f"{head}::{name}::{value}" for name, value in endpoint.items() if name != "address"]
    return "".join(f"{line}\n" for line in lines)


def _describe_endpoint(endpoint: Any) -> dict[str, Any]:
    return {
        "address": endpoint.address,
        "health_flags": "healthy" if endpoint.is_healthy else "failed",
        "weight": endpoint.weight,
        "rq_active": endpoint.active_requests,
        "mtls": endpoint.is_mtls,
        "workload": str(endpoint.workload),
    }
