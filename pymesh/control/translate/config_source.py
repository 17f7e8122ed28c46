"""Where a proxy gets what a resource only names: routes, endpoints and secrets, all from this control plane."""

from typing import Any

from pymesh.names import XDS_CLUSTER
from pymesh.protojson import format_duration, parse_go_duration

# Envoy polls again refresh_delay after an answer. Ours is held until something changed, so the delay may be small.
CONFIG_SOURCE: dict[str, Any] = {
    "resource_api_version": "V3",
    "api_config_source": {
        "api_type": "REST",
        "transport_api_version": "V3",
        "cluster_names": [XDS_CLUSTER],
        "refresh_delay": "0.1s",
        "request_timeout": "60s",
    },
}


def sds_secret(name: str) -> dict[str, Any]:
    """envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig"""
    return {"name": name, "sds_config": CONFIG_SOURCE}


def socket_address(host: str, port: int) -> dict[str, Any]:
    """envoy.config.core.v3.Address; a workload may also be a `unix://` path."""
    if host.startswith("unix://"):
        return {"pipe": {"path": host.removeprefix("unix://")}}
    return {"socket_address": {"address": host, "port_value": port}}


def cidr_range(text: str) -> dict[str, Any]:
    """envoy.config.core.v3.CidrRange of an address or a subnet."""
    address, _, length = text.partition("/")
    whole = 128 if ":" in address else 32
    return {"address_prefix": address, "prefix_len": int(length) if length else whole}


def duration(text: str) -> str:
    """A duration of Istio's YAML as proto3 JSON writes it."""
    return format_duration(parse_go_duration(text))
