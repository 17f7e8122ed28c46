"""What is known of a proxy's configuration: SYNCED, STALE or REJECTED, by type. What `pymesh proxy-status` shows."""

from typing import Literal

import msgspec

Status = Literal["SYNCED", "STALE", "REJECTED"]

# A proxy that has not acknowledged what it was sent, or has not polled, for this many seconds is behind.
STALE_SECONDS = 5.0


class TypeStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    status: Status
    reason: str = ""


class ProxyStatus(msgspec.Struct, frozen=True):
    """`types` has the short names (`CDS`) of the types that the proxy subscribed to. `version` is the revision of the
    configuration that the proxy has seen whole."""

    proxy: str
    node: str
    protocol: str
    version: int
    types: dict[str, TypeStatus]


SYNCED = TypeStatus("SYNCED")


def worst(statuses: list[TypeStatus]) -> TypeStatus:
    order = ("REJECTED", "STALE", "SYNCED")
    return min(statuses, key=lambda status: order.index(status.status), default=SYNCED)


def proxy_name(node_id: str) -> str:
    """`web-v1-abc.default` of Istio's node id `sidecar~10.0.0.1~web-v1-abc.default~...`; else the id as it is."""
    parts = node_id.split("~")
    return parts[2] if len(parts) == 4 else node_id
