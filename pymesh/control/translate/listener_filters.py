"""What learns of a connection by what its filter chain is chosen."""

from collections.abc import Iterable
from typing import Any

from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.translate.config_source import duration
from pymesh.control.translate.type_urls import (
    HTTP_INSPECTOR,
    HTTP_INSPECTOR_FILTER,
    ORIGINAL_DST,
    ORIGINAL_DST_FILTER,
    TLS_INSPECTOR,
    TLS_INSPECTOR_FILTER,
)

TLS_INSPECTION: dict[str, Any] = {"name": TLS_INSPECTOR_FILTER, "typed_config": {"@type": TLS_INSPECTOR}}
HTTP_INSPECTION: dict[str, Any] = {"name": HTTP_INSPECTOR_FILTER, "typed_config": {"@type": HTTP_INSPECTOR}}
# Says where a redirected connection was going; whoever has it keeps the connection.
ORIGINAL_DESTINATION: dict[str, Any] = {"name": ORIGINAL_DST_FILTER, "typed_config": {"@type": ORIGINAL_DST}}


def build_detection_timeout(mesh: MeshConfig, default: str = "") -> dict[str, Any]:
    """Fields of a listener: how long a client may be silent until it is taken for one whose server speaks first; 0s is
    for ever. Nothing where neither is told."""
    told = mesh.protocol_detection_timeout or default
    if not told:
        return {}
    return {"continue_on_listener_filters_timeout": True, "listener_filters_timeout": duration(told)}


def build_http_inspection(except_for: Iterable[int]) -> dict[str, Any]:
    """At all ports but those whose protocol is known: their bytes need not wait until it is found."""
    rules = [{"destination_port_range": {"start": port, "end": port + 1}} for port in sorted(except_for)]
    if not rules:
        return HTTP_INSPECTION
    # Envoy: a set has two rules or more.
    return HTTP_INSPECTION | {"filter_disabled": rules[0] if len(rules) == 1 else {"or_match": {"rules": rules}}}
