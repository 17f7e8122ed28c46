"""The terminal filter of a TCP listener."""

from typing import Any

from pymesh.control.translate.type_urls import TCP_PROXY, TCP_PROXY_FILTER


def build_tcp_proxy(stat_prefix: str, target: dict[str, Any], **options: Any) -> dict[str, Any]:
    """`target` is `cluster` or `weighted_clusters`; `options` are further fields, empty ones left out."""
    config = {"@type": TCP_PROXY, "stat_prefix": stat_prefix, **target}
    config |= {key: value for key, value in options.items() if value}
    return {"name": TCP_PROXY_FILTER, "typed_config": config}
