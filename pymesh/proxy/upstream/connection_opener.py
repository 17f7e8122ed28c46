"""What all pools have in common: who waits for a connection to an endpoint, and the opening of one within limits."""

from operator import methodcaller
from typing import Any, Protocol

from pymesh.proxy.timers import IdleWatch, Timers
from pymesh.proxy.upstream.circuit_breaker import CircuitBreakers
from pymesh.proxy.upstream.cluster import Cluster
from pymesh.proxy.upstream.endpoint import Endpoint
from pymesh.proxy.upstream.failure import CLOSED_AT_ONCE, INTERNAL_ERROR, UpstreamFailure, connect_failure
from pymesh.proxy.upstream.transport import ConnectError, Connector, connect
from pymesh.tasks import TaskGroup

_END_LIFETIME = methodcaller("on_max_duration")


class Waiter(Protocol):
    """Who waits for a connection; exactly one of the two is called, unless `cancel` came first. What comes is an
    Http2Stream for who `is_http2`, and an HttpConnection otherwise."""

    @property
    def is_http2(self) -> bool: ...

    def on_connection(self, connection: Any) -> None: ...

    def on_upstream_failure(self, failure: UpstreamFailure) -> None: ...


class ConnectionOpener:
    """The pools of HTTP/1.1 and of HTTP/2 say what a connection is and who gets it."""

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
        self._idle: list[Any] = []  # that take a request
        self._waiters: dict[Waiter, None] = {}
        self._connections: set[Any] = set()
        self._connecting = 0
        self._is_draining = False
        self._breakers = breakers or cluster.circuit_breakers
        self._past_requests = 0  # of connections that are closed

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.endpoint.address} connections={len(self._connections)} "
            f"idle={len(self._idle)} connecting={self._connecting} waiting={len(self._waiters)}>"
        )

    @property
    def connection_count(self) -> int:
        return len(self._connections) + self._connecting

    @property
    def request_count(self) -> int:
        live: int = sum(connection.requests for connection in self._connections)
        return self._past_requests + live

    def cancel(self, waiter: Waiter) -> None:
        """The waiter no longer waits. A connection that is being opened for it becomes idle."""
        if waiter in self._waiters:
            del self._waiters[waiter]
            self._breakers.pending_requests.release()

    # what a pool says

    def _new_connection(self) -> Any:
        """A protocol for a new connection."""
        raise NotImplementedError

    def _on_open(self, connection: Any) -> None:
        """It is ready."""
        raise NotImplementedError

    def _has_enough(self) -> bool:
        """Those on the way will do for those that wait."""
        return len(self._waiters) <= self._connecting

    async def _connect_transport(self, connection: Any) -> None:
        await self._connect(self.cluster, self.endpoint, lambda: connection)

    # waiting and opening

    def _wait(self, waiter: Waiter) -> bool:
        """False: too many do."""
        if not self._breakers.pending_requests.try_acquire():
            return False
        self._waiters[waiter] = None
        self._open_for_waiters()
        return True

    def _open_for_waiters(self) -> None:
        """As many as they need, within the limits; a pool that has none may open one even if others have used up the
        limit, or its waiters would wait for nothing."""
        if self._has_enough():
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
        connection = self._new_connection()
        failure = INTERNAL_ERROR
        try:
            await self._connect_transport(connection)
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

    def _keep(self, connection: Any, idle_watch: IdleWatch | None) -> None:
        self._connections.add(connection)
        connection.idle_watch = idle_watch
        if idle_watch is not None:
            idle_watch.watch(connection)
        duration = self.cluster.max_connection_duration
        if duration:
            connection.lifetime = self._timers.queue(duration, _END_LIFETIME)
            connection.lifetime.start(connection)

    def _forget(self, connection: Any) -> None:
        if connection not in self._connections:
            return  # it never became ready
        self._connections.discard(connection)
        if connection.idle_watch is not None:
            connection.idle_watch.forget(connection)
        if connection.lifetime is not None:
            connection.lifetime.stop(connection)
        self._past_requests += connection.requests
        self._breakers.connections.release()
        self._open_for_waiters()

    def _has_served(self, connection: Any) -> bool:
        """As many requests, or as long, as the cluster lets one."""
        cluster = self.cluster
        if cluster.max_requests_per_connection and connection.requests >= cluster.max_requests_per_connection:
            return True
        duration = cluster.max_connection_duration
        return bool(duration) and self._time() - connection.opened_at >= duration

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
