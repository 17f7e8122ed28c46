"""Rules of a connectionPool. Istio: validateConnectionPool in pkg/config/validation."""

from pymesh.control.model.destination_rule import ConnectionPoolSettings, HTTPSettings, TcpKeepalive, TCPSettings
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax


def check_connection_pool(settings: ConnectionPoolSettings | None, at: Scope) -> None:
    if settings is None:
        return
    at.require(settings.tcp is not None or settings.http is not None, "must have at least one of tcp and http")
    if settings.tcp is not None:
        _check_tcp_settings(settings.tcp, at["tcp"])
    if settings.http is not None:
        _check_http_settings(settings.http, at["http"])


def check_keepalive(keepalive: TcpKeepalive, at: Scope) -> None:
    syntax.check_not_negative(keepalive.probes, at["probes"])
    syntax.check_duration(keepalive.time, at["time"])
    syntax.check_duration(keepalive.interval, at["interval"])


def _check_tcp_settings(tcp: TCPSettings, at: Scope) -> None:
    syntax.check_not_negative(tcp.max_connections, at["maxConnections"])
    syntax.check_duration(tcp.connect_timeout, at["connectTimeout"])
    syntax.check_duration(tcp.max_connection_duration, at["maxConnectionDuration"])
    syntax.check_duration(tcp.idle_timeout, at["idleTimeout"], allow_zero=True)
    if tcp.tcp_keepalive is not None:
        check_keepalive(tcp.tcp_keepalive, at["tcpKeepalive"])


def _check_http_settings(http: HTTPSettings, at: Scope) -> None:
    limits = {
        "http1MaxPendingRequests": http.http1_max_pending_requests,
        "http2MaxRequests": http.http2_max_requests,
        "maxRequestsPerConnection": http.max_requests_per_connection,
        "maxRetries": http.max_retries,
        "maxConcurrentStreams": http.max_concurrent_streams,
    }
    for name, limit in limits.items():
        syntax.check_not_negative(limit, at[name])
    syntax.check_duration(http.idle_timeout, at["idleTimeout"])
    is_upgraded = http.h2_upgrade_policy == "UPGRADE"
    at["useClientProtocol"].require(not (is_upgraded and http.use_client_protocol), "cannot stand beside UPGRADE")
    if http.http2_keep_alive is not None:
        syntax.check_duration(http.http2_keep_alive.interval, at["http2KeepAlive"]["interval"])
        syntax.check_duration(http.http2_keep_alive.timeout, at["http2KeepAlive"]["timeout"])
