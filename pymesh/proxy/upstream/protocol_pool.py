"""The connections to an endpoint that is spoken to with HTTP/1.1 and with HTTP/2: a pool for each."""

from collections.abc import Callable
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
    """Each waiter says which it wants; a request for an upgrade goes by HTTP/1.1 in any case. The pool of HTTP/2 is
    made for the first who wants it: a proxy where nobody does should not load what it takes."""

    def __init__(self, http1: ConnectionPool, build_http2: Callable[[], Any]) -> None:
        self._http1 = http1
        self._http2: Any = None
        self._build_http2 = build_http2
        self._is_draining = False

    def __repr__(self) -> str:
        return f"<ProtocolPool {self._http1!r} {self._http2!r}>"

    @property
    def connection_count(self) -> int:
        return sum(pool.connection_count for pool in self._pools)

    @property
    def request_count(self) -> int:
        return sum(pool.request_count for pool in self._pools)

    @property
    def _pools(self) -> list[Any]:
        return [self._http1] if self._http2 is None else [self._http1, self._http2]

    def acquire(self, waiter: Waiter, fresh: bool = False) -> Any:
        """Of ConnectionPool or Http2Pool."""
        if not waiter.is_http2:
            return self._http1.acquire(waiter, fresh)
        if self._http2 is None:
            self._http2 = self._build_http2()
            if self._is_draining:
                self._http2.drain()
        return self._http2.acquire(waiter, fresh)

    def cancel(self, waiter: Waiter) -> None:
        for pool in self._pools:
            pool.cancel(waiter)

    def drain(self) -> None:
        self._is_draining = True
        for pool in self._pools:
            pool.drain()


def build_pool(
    cluster: Cluster,
    endpoint: Endpoint,
    timers: Timers,
    tasks: TaskGroup,
    connector: Connector = connect,
    breakers: CircuitBreakers | None = None,
) -> ConnectionPool | ProtocolPool:
    """What the cluster's protocol asks for."""
    http1 = ConnectionPool(cluster, endpoint, timers, tasks, connector, breakers)
    if cluster.protocol is UpstreamProtocol.HTTP1:
        return http1

    def build_http2() -> Any:
        from pymesh.proxy.upstream.http2_pool import Http2Pool

        return Http2Pool(cluster, endpoint, timers, tasks, connector, breakers)

    return ProtocolPool(http1, build_http2)
