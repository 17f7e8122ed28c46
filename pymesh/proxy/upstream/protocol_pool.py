"""The connections to an endpoint that is spoken to with HTTP/1.1 and with HTTP/2: a pool for each."""

from typing import Any

from pymesh.proxy.timers import Timers
from pymesh.proxy.upstream.circuit_breaker import CircuitBreakers
from pymesh.proxy.upstream.cluster import Cluster
from pymesh.proxy.upstream.connection_opener import Waiter
from pymesh.proxy.upstream.connection_pool import ConnectionPool
from pymesh.proxy.upstream.endpoint import Endpoint
from pymesh.proxy.upstream.http2_options import UpstreamProtocol
from pymesh.proxy.upstream.transport import Connector, connect
from pymesh.tasks import TaskGroup


class ProtocolPool:
    """Each waiter says which it wants; a request for an upgrade goes by HTTP/1.1 in any case."""

    def __init__(self, http1: ConnectionPool, http2: Any) -> None:
        self._http1 = http1
        self._http2 = http2

    def __repr__(self) -> str:
        return f"<ProtocolPool {self._http1!r} {self._http2!r}>"

    @property
    def connection_count(self) -> int:
        count: int = self._http1.connection_count + self._http2.connection_count
        return count

    @property
    def request_count(self) -> int:
        count: int = self._http1.request_count + self._http2.request_count
        return count

    def acquire(self, waiter: Waiter, fresh: bool = False) -> Any:
        """Of ConnectionPool or Http2Pool."""
        return (self._http2 if waiter.is_http2 else self._http1).acquire(waiter, fresh)

    def cancel(self, waiter: Waiter) -> None:
        (self._http2 if waiter.is_http2 else self._http1).cancel(waiter)

    def drain(self) -> None:
        self._http1.drain()
        self._http2.drain()


def build_pool(
    cluster: Cluster,
    endpoint: Endpoint,
    timers: Timers,
    tasks: TaskGroup,
    connector: Connector = connect,
    breakers: CircuitBreakers | None = None,
) -> ConnectionPool | ProtocolPool:
    """What the cluster's protocol asks for. HTTP/2 is loaded only where it may be spoken: it is memory."""
    http1 = ConnectionPool(cluster, endpoint, timers, tasks, connector, breakers)
    if cluster.protocol is UpstreamProtocol.HTTP1:
        return http1
    from pymesh.proxy.upstream.http2_pool import Http2Pool

    return ProtocolPool(http1, Http2Pool(cluster, endpoint, timers, tasks, connector, breakers))
