"""The label values of Istio's metrics, from a StreamInfo. Runs once a series, not once a request.

The choices and fallbacks are those of Istio's stats filter (source/extensions/filters/http/istio_stats of istio/proxy).
"""

from typing import NamedTuple

from pymesh.names import BLACK_HOLE_CLUSTER, INBOUND_PASSTHROUGH_CLUSTER, PASSTHROUGH_CLUSTER
from pymesh.proxy.telemetry.direction import INBOUND, Direction
from pymesh.proxy.telemetry.stream_info import StreamInfo
from pymesh.proxy.telemetry.workload import UNKNOWN_WORKLOAD, Workload
from pymesh.spiffe import parse_spiffe

UNKNOWN = "unknown"
_CATCH_ALL_CLUSTERS = (BLACK_HOLE_CLUSTER, PASSTHROUGH_CLUSTER, INBOUND_PASSTHROUGH_CLUSTER)
_CATCH_ALL_ROUTES = {"block_all": BLACK_HOLE_CLUSTER, "allow_any": PASSTHROUGH_CLUSTER}


class LocalPeer(NamedTuple):
    """The proxy's own end of every call. A gateway never names a service by the Host that a client wrote."""

    workload: Workload
    principal: str
    is_gateway: bool


class _Peer(NamedTuple):
    workload: Workload
    principal: str  # SPIFFE URI or "unknown"
    namespace: str

    def labels(self) -> tuple[str, ...]:
        """workload, canonical service, revision, namespace, principal, app, version, cluster."""
        name, _, service, version, cluster = self.workload
        # Istio's canonical revision of a workload that has none.
        revision = "latest" if version == UNKNOWN else version
        return name, service, revision, self.namespace, self.principal, service, version, cluster


def http_labels(info: StreamInfo, direction: Direction, local: LocalPeer) -> tuple[str, ...]:
    """In the order of HTTP_LABELS."""
    security = _connection_security_policy(info, direction)
    protocol, grpc_status = ("http", "") if info.grpc_status is None else ("grpc", info.grpc_status)
    flags = format_flags(info.response_flags)
    return (*_peer_labels(info, direction, local), protocol, str(info.response_code), grpc_status, flags, security)


def tcp_labels(info: StreamInfo, direction: Direction, local: LocalPeer) -> tuple[str, ...]:
    """In the order of TCP_LABELS."""
    security = _connection_security_policy(info, direction)
    return (*_peer_labels(info, direction, local), "tcp", format_flags(info.response_flags), security)


def overflow_labels(names: tuple[str, ...], direction: Direction) -> tuple[str, ...]:
    """Of the catch-all series that counts what came after the bound on series was reached."""
    return tuple(direction.reporter if name == "reporter" else "overflow" for name in names)


def format_flags(flags: tuple[str, ...]) -> str:
    return ",".join(flags) or "-"


def has_host_fallback(info: StreamInfo, direction: Direction, local: LocalPeer) -> bool:
    """Whether the request's own Host is among the labels: a sidecar called something that is no known service."""
    return info.service is None and direction is not INBOUND and not local.is_gateway


def _peer_labels(info: StreamInfo, direction: Direction, local: LocalPeer) -> tuple[str, ...]:
    source, destination = _peers(info, direction, local)
    host, name = _destination_service(info, direction, local)
    workload, service, revision, namespace, principal, app, version, cluster = destination.labels()
    return (
        direction.reporter,
        *source.labels(),
        *(workload, namespace, principal, app, version),
        *(host, service, revision, name, namespace, cluster),
    )


def _peers(info: StreamInfo, direction: Direction, local: LocalPeer) -> tuple[_Peer, _Peer]:
    """Source and destination. Our own principal counts only where the other side has shown its own."""
    if direction is INBOUND:
        source = _remote_peer(info.downstream_peer, info.downstream_principal)
        return source, _local_peer(local, bool(info.downstream_principal))
    host = info.upstream_host
    destination = _remote_peer(host.workload if host is not None else None, info.upstream_principal)
    return _local_peer(local, bool(info.upstream_principal)), destination


def _local_peer(local: LocalPeer, is_mtls: bool) -> _Peer:
    principal = local.principal if is_mtls and local.principal else UNKNOWN
    return _Peer(local.workload, principal, local.workload.namespace)


def _remote_peer(workload: Workload | None, principal: str) -> _Peer:
    """The namespace that the certificate proves comes before the one that the peer tells."""
    workload = workload or UNKNOWN_WORKLOAD
    return _Peer(workload, principal or UNKNOWN, _namespace_of(principal) or workload.namespace)


def _namespace_of(principal: str) -> str:
    try:
        return parse_spiffe(principal).namespace
    except ValueError:
        return ""


def _destination_service(info: StreamInfo, direction: Direction, local: LocalPeer) -> tuple[str, str]:
    """destination_service, an FQDN, and destination_service_name."""
    if info.service is not None:
        return info.service.host, info.service.name
    fallback = local.workload.service if direction is INBOUND else UNKNOWN
    if has_host_fallback(info, direction, local):
        fallback = _host(info) or UNKNOWN
    return fallback, _catch_all(info) or fallback


def _catch_all(info: StreamInfo) -> str:
    if info.upstream_cluster in _CATCH_ALL_CLUSTERS:
        return info.upstream_cluster
    return _CATCH_ALL_ROUTES.get(info.route_name, "")


def _host(info: StreamInfo) -> str:
    host = info.request_headers.get(b"host") if info.request_headers is not None else None
    return host.decode("ascii", "replace")[:255] if host else ""


def _connection_security_policy(info: StreamInfo, direction: Direction) -> str:
    if direction is not INBOUND:
        return UNKNOWN  # only the destination can tell
    return "mutual_tls" if info.downstream_principal else "none"
