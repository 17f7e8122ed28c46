"""Which HTTP a cluster is spoken to with: HTTP/1.1, HTTP/2, or what the client speaks.

Istio: setUpstreamProtocol, applyConnectionPool and applyH2Upgrade in pilot/pkg/networking/core/cluster_*.go. Beyond it,
`maxConcurrentStreams` holds wherever HTTP/2 is spoken, and not only at ports that are declared as HTTP/2.
"""

from enum import StrEnum
from typing import Any

from pymesh.control.model.destination_rule import ConnectionPoolSettings, Http2KeepAlive, HTTPSettings
from pymesh.control.model.mesh_config import H2UpgradePolicy
from pymesh.control.snapshot.protocol import Protocol
from pymesh.control.translate.config_source import duration
from pymesh.control.translate.type_urls import HTTP_PROTOCOL_OPTIONS, HTTP_PROTOCOL_OPTIONS_KEY

_NO_HTTP = HTTPSettings()
_UPGRADE = "UPGRADE"
_KEEPALIVE_TIMEOUT = "10s"  # Envoy wants one


class UpstreamProtocol(StrEnum):
    HTTP1 = "HTTP1"
    HTTP2 = "HTTP2"
    DOWNSTREAM = "DOWNSTREAM"


def http_settings(pool: ConnectionPoolSettings | None) -> HTTPSettings:
    return (pool.http if pool is not None else None) or _NO_HTTP


def outbound_protocol(
    port: Protocol, pool: ConnectionPoolSettings | None, mesh_policy: H2UpgradePolicy, detects: bool
) -> UpstreamProtocol:
    """`detects`: a port whose protocol nobody declared is spoken to as its clients speak; not so at gateways."""
    if _is_upgraded(port, pool, mesh_policy):
        return UpstreamProtocol.HTTP2
    return inbound_protocol(port, pool, detects)


def inbound_protocol(port: Protocol, pool: ConnectionPoolSettings | None, detects: bool = True) -> UpstreamProtocol:
    """An application is never upgraded to HTTP/2: who calls it decides, or the declaration of its port."""
    if http_settings(pool).use_client_protocol:
        return UpstreamProtocol.DOWNSTREAM
    if port.is_http2:
        return UpstreamProtocol.HTTP2
    return UpstreamProtocol.DOWNSTREAM if port.is_auto and detects else UpstreamProtocol.HTTP1


def add_protocol(cluster: dict[str, Any], protocol: UpstreamProtocol, pool: ConnectionPoolSettings | None) -> None:
    """Put it into the cluster's HTTP options, which are made where there are none."""
    if protocol is UpstreamProtocol.HTTP1:
        return
    extensions = cluster.setdefault("typed_extension_protocol_options", {})
    options = extensions.setdefault(HTTP_PROTOCOL_OPTIONS_KEY, {"@type": HTTP_PROTOCOL_OPTIONS})
    options.pop("explicit_http_config", None)
    http2 = _http2_options(http_settings(pool))
    if protocol is UpstreamProtocol.HTTP2:
        options["explicit_http_config"] = {"http2_protocol_options": http2}
    else:
        options["use_downstream_protocol_config"] = {"http_protocol_options": {}, "http2_protocol_options": http2}


def _is_upgraded(port: Protocol, pool: ConnectionPoolSettings | None, mesh_policy: H2UpgradePolicy) -> bool:
    """What a rule says holds at any port; what the mesh says, at those that are declared as HTTP."""
    own = http_settings(pool).h2_upgrade_policy
    if own != "DEFAULT":
        return own == _UPGRADE
    return mesh_policy == _UPGRADE and port.is_http and not port.is_auto


def _http2_options(http: HTTPSettings) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if http.max_concurrent_streams:
        options["max_concurrent_streams"] = http.max_concurrent_streams
    if http.http2_keep_alive is not None and http.http2_keep_alive.interval:
        options["connection_keepalive"] = _keepalive(http.http2_keep_alive)
    return options


def _keepalive(settings: Http2KeepAlive) -> dict[str, Any]:
    return {"interval": duration(settings.interval), "timeout": duration(settings.timeout or _KEEPALIVE_TIMEOUT)}
