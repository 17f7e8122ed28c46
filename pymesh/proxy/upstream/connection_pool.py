"""The HTTP connections to one endpoint: who gets which, who waits, and when a new one is opened.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/connection_pooling
"""

from operator import attrgetter

from pymesh.proxy.timers import IdleWatch
from pymesh.proxy.upstream.connection_opener import ConnectionOpener, Waiter
from pymesh.proxy.upstream.failure import OVERFLOW, UpstreamFailure
from pymesh.proxy.upstream.http_connection import HttpConnection

_IDLE_SINCE = attrgetter("idle_since")


class ConnectionPool(ConnectionOpener):
    """Idle connections are taken last in, first out, so that those that are too many become old enough to be closed.

    `acquire` decides at once; only the opening of a connection is a task.
    """

    _idle: list[HttpConnection]

    def acquire(self, waiter: Waiter, fresh: bool = False) -> HttpConnection | UpstreamFailure | None:
        """A connection that is ready; a failure; or None, and the waiter will be called. `fresh`: a new one only."""
        if self._idle and not fresh:
            connection = self._idle.pop()
            connection.idle_since = None
            return connection
        return None if self._wait(waiter) else OVERFLOW

    def drain(self) -> None:
        """The endpoint has left: close what is idle, let what is in use finish."""
        self._is_draining = True
        idle, self._idle[:] = list(self._idle), []
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
            time = self._time  # a local is called faster
            connection.idle_since = time()
            self._idle.append(connection)

    def on_closed(self, connection: HttpConnection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)
        self._forget(connection)

    # opening

    def _new_connection(self) -> HttpConnection:
        return HttpConnection(self.endpoint, self)

    def _on_open(self, connection: HttpConnection) -> None:
        connection.on_ready(self._time())
        self._keep(connection, self._idle_watch())
        self.on_idle(connection)

    def _is_worn(self, connection: HttpConnection) -> bool:
        return (self._is_draining and bool(connection.requests)) or self._has_served(connection)

    def _idle_watch(self) -> IdleWatch | None:
        timeout = self.cluster.idle_timeout
        return self._timers.idle_watch(timeout, _IDLE_SINCE, HttpConnection.on_idle_timeout) if timeout else None
