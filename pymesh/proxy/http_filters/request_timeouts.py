"""How long a request and each of its tries may take, and what ends one that takes longer.

https://www.envoyproxy.io/docs/envoy/latest/faq/configuration/timeouts#route-timeouts
"""

from pymesh.proxy.http_filters.downstream_half import DownstreamHalf
from pymesh.proxy.http_filters.filter import FilterContext
from pymesh.proxy.http_filters.local_replies import RESPONSE_TIMEOUT
from pymesh.proxy.http_filters.upstream_try import UpstreamTry
from pymesh.proxy.routing.route import ClusterAction
from pymesh.proxy.timers import TimerQueue
from pymesh.proxy.upstream.cluster import Cluster
from pymesh.proxy.upstream.failure import (
    MAX_STREAM_DURATION,
    PER_TRY_IDLE_TIMEOUT,
    PER_TRY_TIMEOUT,
    UpstreamFailure,
)


class RequestTimeouts(UpstreamTry):
    """The timers of an UpstreamRequest. All of them are the action's; a request without any pays for none.

    A queue is looked up where a timer starts, and is at hand where it stops: None where it does not run.
    """

    __slots__ = ("_duration_queue", "_idle_queue", "_per_try_queue", "_timeout_queue")

    def __init__(self, stream: DownstreamHalf, cluster: Cluster, action: ClusterAction, context: FilterContext) -> None:
        UpstreamTry.__init__(self, stream, cluster, action, context)  # super() costs as much as a third of it
        self._timeout_queue: TimerQueue | None = None
        self._per_try_queue: TimerQueue | None = None
        self._idle_queue: TimerQueue | None = None
        self._duration_queue: TimerQueue | None = None

    def _on_complete(self) -> None:
        """The whole request is there. Envoy: the route's timeout begins, but an upgrade is never complete."""
        timers, timeout = self._context.timers, self._action.timeout
        self._completed_at = timers.time()
        if timeout and not self._stream.upgrade:
            queue = self._timeout_queue = timers.queue(timeout, RequestTimeouts.on_timeout)
            queue.start(self)

    def _start_try_timeouts(self) -> None:
        """Envoy: they begin when the whole request is there and has a connection; the duration with the connection."""
        action, stream, timers = self._action, self._stream, self._context.timers
        if action.upstream_stream_duration:
            duration = action.upstream_stream_duration
            queue = self._duration_queue = timers.queue(duration, RequestTimeouts.on_max_stream_duration)
            queue.start(self)
        if not stream.is_request_complete or stream.upgrade:
            return
        if action.per_try_timeout:
            queue = self._per_try_queue = timers.queue(action.per_try_timeout, RequestTimeouts.on_per_try_timeout)
            queue.start(self)
        if action.per_try_idle_timeout:
            self._on_try_activity()

    def _on_try_activity(self) -> None:
        """Of a try that may be idle for so long only."""
        queue = self._idle_queue
        if queue is None:
            duration = self._action.per_try_idle_timeout
            queue = self._idle_queue = self._context.timers.queue(duration, RequestTimeouts.on_per_try_idle_timeout)
        queue.start(self)

    def _on_try_answered(self) -> None:
        """The response has begun: it may take as long as the whole request may."""
        if self._per_try_queue is not None:
            self._per_try_queue.stop(self)
            self._per_try_queue = None  # once is enough
        if self._action.per_try_idle_timeout:
            self._on_try_activity()

    def _stop_try_timeouts(self) -> None:
        if self._per_try_queue is not None:
            self._per_try_queue.stop(self)
        if self._idle_queue is not None:
            self._idle_queue.stop(self)
        if self._duration_queue is not None:
            self._duration_queue.stop(self)

    def _stop_timeouts(self) -> None:
        if self._timeout_queue is not None:
            self._timeout_queue.stop(self)
        self._stop_try_timeouts()

    # what happens then

    def on_timeout(self) -> None:
        try:
            if self._endpoint is not None:
                self._cluster.on_result(self._endpoint, None, "timeout")
            self._reply(RESPONSE_TIMEOUT)
        except Exception:
            self._stream.on_bug()

    def on_per_try_timeout(self) -> None:
        self._break_off(PER_TRY_TIMEOUT)

    def on_per_try_idle_timeout(self) -> None:
        self._break_off(PER_TRY_IDLE_TIMEOUT)

    def on_max_stream_duration(self) -> None:
        self._break_off(MAX_STREAM_DURATION)

    def _break_off(self, failure: UpstreamFailure) -> None:
        connection = self._connection
        self.on_upstream_failure(failure)
        if connection is not None and connection.exchange is self:
            connection.abandon()
