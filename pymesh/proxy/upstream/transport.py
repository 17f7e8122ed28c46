"""The one way to an endpoint: TCP and, where the cluster says so, TLS with the peer's identity checked."""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import Any

from pymesh.proxy import net
from pymesh.proxy.upstream.cluster import Cluster
from pymesh.proxy.upstream.endpoint import Endpoint

# What `connect` is; tests bring their own.
Connector = Callable[..., Coroutine[Any, Any, asyncio.Transport]]

_KEEPALIVE_OPTIONS = (("probes", "TCP_KEEPCNT"), ("time", "TCP_KEEPIDLE"), ("interval", "TCP_KEEPINTVL"))


class ConnectError(Exception):
    """No connection. `reason` is Envoy's reset reason, `transport_failure` its UPSTREAM_TRANSPORT_FAILURE_REASON."""

    def __init__(self, reason: str, transport_failure: str = "") -> None:
        super().__init__(f"{reason}: {transport_failure}" if transport_failure else reason)
        self.reason = reason
        self.transport_failure = transport_failure


CONNECTION_FAILURE = "remote connection failure"
CONNECTION_TIMEOUT = "connection timeout"
LOCAL_FAILURE = "local connection failure"


async def connect(
    cluster: Cluster, endpoint: Endpoint, factory: net.ProtocolFactory, is_http2: bool = False
) -> asyncio.Transport:
    """A connection for traffic; see `open_transport`."""
    cluster.stats.upstream_cx_total += 1
    return await open_transport(cluster, endpoint, factory, is_http2)


async def open_transport(
    cluster: Cluster, endpoint: Endpoint, factory: net.ProtocolFactory, is_http2: bool = False
) -> asyncio.Transport:
    """A transport with the factory's protocol on it, within the cluster's connect timeout. Raises ConnectError.

    `is_http2`: TLS says so by ALPN. Without TLS the server is known to speak it (RFC 9113 3.3), or finds out.

    The protocol may see `connection_made` and `connection_lost` of a connection whose peer then turns out to be the
    wrong one: it is ready only when this returns.
    """
    tls = cluster.tls_for(endpoint)
    context = None
    if tls is not None and (context := tls.ssl_context(is_http2)) is None:
        raise ConnectError(LOCAL_FAILURE, "secret is not supplied by SDS")
    try:
        async with asyncio.timeout(cluster.connect_timeout or None):
            transport = await net.connect(
                asyncio.get_running_loop(),
                factory,
                endpoint.host,
                endpoint.port,
                tls=context,
                server_hostname=None if tls is None else tls.server_hostname,
            )
    except TimeoutError:
        raise ConnectError(CONNECTION_TIMEOUT) from None
    except ssl.SSLError as error:
        raise ConnectError(CONNECTION_FAILURE, _tls_failure(error)) from error
    except OSError as error:
        raise ConnectError(CONNECTION_FAILURE, _os_failure(error)) from error
    if tls is not None and (failure := tls.verify(transport.get_extra_info("ssl_object"))) is not None:
        transport.abort()
        raise ConnectError(CONNECTION_FAILURE, failure)
    _set_keepalive(cluster, transport)
    return transport


def _set_keepalive(cluster: Cluster, transport: asyncio.Transport) -> None:
    keepalive = cluster.config.tcp_keepalive
    if keepalive is None:
        return
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for field, option in _KEEPALIVE_OPTIONS:
        if value := getattr(keepalive, field):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _os_failure(error: OSError) -> str:
    """Envoy: `delayed_connect_error:_Connection_refused`."""
    reason = os.strerror(error.errno) if error.errno else type(error).__name__  # aiofastnet's strerror has the address
    return f"delayed_connect_error:_{reason.replace(' ', '_')}"


def _tls_failure(error: ssl.SSLError) -> str:
    return f"TLS_error:|{error.reason or error}:TLS_error_end".replace(" ", "_")
