"""The HTTP/2 connections to one endpoint. One carries as many requests as it and its server allow; only then is there a
second one."""

from pymesh.proxy.upstream.connection_opener import ConnectionOpener, Waiter
from pymesh.proxy.upstream.failure import OVERFLOW, UpstreamFailure
from pymesh.proxy.upstream.http2_connection import Http2Connection, idle_watch
from pymesh.proxy.upstream.http2_stream import Http2Stream


class Http2Pool(ConnectionOpener):
    """`acquire` decides at once; only the opening of a connection is a task."""

    _idle: list[Http2Connection]  # those that take no new request are elsewhere

    def acquire(self, waiter: Waiter, fresh: bool = False) -> Http2Stream | UpstreamFailure | None:
        """A stream to be started at once; a failure; or None, and the waiter will be called."""
        for connection in self._idle:
            if connection.can_take:
                return self._give(connection)
        return None if self._wait(waiter) else OVERFLOW

    def drain(self) -> None:
        """The endpoint has left: let what is on its way finish."""
        self._is_draining = True
        for connection in tuple(self._idle):
            self._retire(connection)

    # a connection's callbacks

    def on_free(self, connection: Http2Connection) -> None:
        """A stream has ended, or the server allows more of them."""
        while self._waiters and connection.can_take:
            waiter = self._next_waiter()
            waiter.on_connection(self._give(connection))
        if self._waiters and connection.is_known:
            self._open_for_waiters()
        if connection.session.streams or connection.is_draining:
            return
        if self._has_served(connection):
            self._retire(connection)
        elif connection.idle_since is None:
            connection.idle_since = self._time()

    def on_draining(self, connection: Http2Connection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)
            self._open_for_waiters()

    def on_closed(self, connection: Http2Connection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)
        self._forget(connection)

    # opening

    def _new_connection(self) -> Http2Connection:
        return Http2Connection(self.endpoint, self, self.cluster.config.http2)

    async def _connect_transport(self, connection: Http2Connection) -> None:
        await self._connect(self.cluster, self.endpoint, lambda: connection, is_http2=True)

    def _on_open(self, connection: Http2Connection) -> None:
        self._keep(connection, idle_watch(self._timers, self.cluster.idle_timeout))
        self._idle.append(connection)
        connection.on_ready(self._time(), self._timers)
        self.on_free(connection)
        if self._is_draining:
            self._retire(connection)

    def _has_enough(self) -> bool:
        """Whoever waits while none is on the way, nor about to say what it takes, has found all of them full."""
        most = self.cluster.config.http2.max_concurrent_streams
        if self.cluster.max_requests_per_connection:
            most = min(most, self.cluster.max_requests_per_connection)
        coming = self._connecting + sum(not connection.is_known for connection in self._idle)
        return len(self._waiters) <= coming * most

    def _give(self, connection: Http2Connection) -> Http2Stream:
        stream = connection.new_stream()
        if self._has_served(connection):
            # What it is to carry is still to be started, so it must not close yet.
            connection.is_draining = True
            self._idle.remove(connection)
        return stream

    def _retire(self, connection: Http2Connection) -> None:
        """No new requests."""
        if connection in self._idle:
            self._idle.remove(connection)
        connection.drain()
