"""The HTTP connections to one endpoint: who gets which, who waits, and when a new one is opened.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/connection_pooling
"""

from operator import attrgetter
from typing import Protocol

from pymesh.proxy.timers import IdleWatch, Timers
from pymesh.proxy.upstream.circuit_breaker import CircuitBreakers
from pymesh.proxy.upstream.cluster import Cluster
from pymesh.proxy.upstream.endpoint import Endpoint
from pymesh.proxy.upstream.failure import CLOSED_AT_ONCE, INTERNAL_ERROR, OVERFLOW, UpstreamFailure, connect_failure
from pymesh.proxy.upstream.http_connection import HttpConnection
from pymesh.proxy.upstream.transport import ConnectError, Connector, connect
from pymesh.tasks import TaskGroup

_IDLE_SINCE = attrgetter("idle_since")


class Waiter(Protocol):
    """Who waits for a connection; exactly one of the two is called, unless `cancel` came first."""

    def on_connection(self, connection: HttpConnection) -> None: ...

    def on_upstream_failure(self, failure: UpstreamFailure) -> None: ...


class ConnectionPool:
    """Idle connections are taken last in, first out, so that those that are too many become old enough to be closed.

    `acquire` decides at once; only the opening of a connection is a task.
    """

    def __init__(
        self,
        cluster: Cluster,
        endpoint: Endpoint,
        timers: Timers,
        tasks: TaskGroup,
        connector: Connector = connect,
        breakers: CircuitBreakers | None = None,
    ) -> None:
        """`breakers`: the cluster's of the routes' priority; the ordinary ones if none are given."""
        self.cluster = cluster
        self.endpoint = endpoint
        self._timers = timers
        self._time = timers.time
        self._tasks = tasks
        self._connect = connector
        self._idle: list[HttpConnection] = []
        self._waiters: dict[Waiter, None] = {}
        self._connections: set[HttpConnection] = set()
        self._connecting = 0
        self._is_draining = False
        self._breakers = breakers or cluster.circuit_breakers
        self._past_requests = 0  # of connections that are closed

    def __repr__(self) -> str:
        return (
            f"<ConnectionPool {self.endpoint.address} connections={len(self._connections)} idle={len(self._idle)} "
            f"connecting={self._connecting} waiting={len(self._waiters)}>"
        )

    @property
    def connection_count(self) -> int:
        return len(self._connections) + self._connecting

    @property
    def request_count(self) -> int:
        return self._past_requests + sum(connection.requests for connection in self._connections)

    def acquire(self, waiter: Waiter, fresh: bool = False) -> HttpConnection | UpstreamFailure | None:
        """A connection that is ready; a failure; or None, and the waiter will be called. `fresh`: a new one only."""
        if self._idle and not fresh:
            connection = self._idle.pop()
            connection.idle_since = None
            return connection
        if not self._breakers.pending_requests.try_acquire():
            return OVERFLOW
        self._waiters[waiter] = None
        self._open_for_waiters()
        return None

    def cancel(self, waiter: Waiter) -> None:
        """The waiter no longer waits. A connection that is being opened for it becomes idle."""
        if waiter in self._waiters:
            del self._waiters[waiter]
            self._breakers.pending_requests.release()

    def drain(self) -> None:
        """The endpoint has left: close what is idle, let what is in use finish."""
        self._is_draining = True
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    # a connection's callbacks

    def on_idle(self, connection: HttpConnection) -> None:
        """A response has ended and the connection may carry another request."""
        cluster = self.cluster
        has_limits = cluster.max_requests_per_connection or cluster.max_connection_duration or self._is_draining
        if has_limits and self._is_worn(connection):
            connection.close()
        elif self._waiters:
            self._next_waiter().on_connection(connection)
        else:
            connection.idle_since = self._time()
            self._idle.append(connection)

    def on_closed(self, connection: HttpConnection) -> None:
        if connection not in self._connections:
            return  # it never became ready
        self._connections.discard(connection)
        if connection.idle_watch is not None:
            connection.idle_watch.forget(connection)
        self._past_requests += connection.requests
        self._breakers.connections.release()
        if connection in self._idle:
            self._idle.remove(connection)
        self._open_for_waiters()

    # opening

    def _open_for_waiters(self) -> None:
        """One connection a waiter, within the limits; a pool that has none may open one even if others have used up the
        limit, or its waiters would wait for nothing."""
        if len(self._waiters) <= self._connecting:
            return
        connections = self._breakers.connections
        if not self._has_room_at_host() or not connections.try_acquire():
            if self._connections or self._connecting:
                return
            connections.acquire()
        self._connecting += 1
        self._tasks.spawn(f"connect to {self.endpoint.address}", self._open())

    def _has_room_at_host(self) -> bool:
        most = self._breakers.max_connections_per_host
        if most is None or sum(pool.connection_count for pool in self.endpoint.pools) < most:
            return True
        self._breakers.connections.overflow += 1
        return False

    async def _open(self) -> None:
        connection = HttpConnection(self.endpoint, self)
        failure = INTERNAL_ERROR
        try:
            await self._connect(self.cluster, self.endpoint, lambda: connection)
            failure = CLOSED_AT_ONCE
        except ConnectError as error:
            failure = connect_failure(error)
        finally:
            self._connecting -= 1
            if failure is not CLOSED_AT_ONCE or connection.is_closed:
                self._breakers.connections.release()
                self._fail_waiters(failure)
            else:
                self._on_open(connection)

    def _on_open(self, connection: HttpConnection) -> None:
        connection.on_ready(self._time())
        self._connections.add(connection)
        connection.idle_watch = self._idle_watch()
        if connection.idle_watch is not None:
            connection.idle_watch.watch(connection)
        self.on_idle(connection)

    def _fail_waiters(self, failure: UpstreamFailure) -> None:
        """All of them, as Envoy does: each decides for itself whether another endpoint may help."""
        waiters = list(self._waiters)
        for waiter in waiters:
            if waiter in self._waiters:
                self.cancel(waiter)
                waiter.on_upstream_failure(failure)

    def _next_waiter(self) -> Waiter:
        waiter = next(iter(self._waiters))
        self.cancel(waiter)
        return waiter

    def _is_worn(self, connection: HttpConnection) -> bool:
        cluster = self.cluster
        if self._is_draining and connection.requests:
            return True
        if cluster.max_requests_per_connection and connection.requests >= cluster.max_requests_per_connection:
            return True
        duration = cluster.max_connection_duration
        return bool(duration) and self._time() - connection.opened_at >= duration

    def _idle_watch(self) -> IdleWatch | None:
        timeout = self.cluster.idle_timeout
        return self._timers.idle_watch(timeout, _IDLE_SINCE, HttpConnection.on_idle_timeout) if timeout else None
