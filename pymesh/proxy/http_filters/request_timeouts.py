"""How long a request and each of its tries may take, and what ends one that takes longer.

https://www.envoyproxy.io/docs/envoy/latest/faq/configuration/timeouts#route-timeouts
"""

from pymesh.proxy.http_filters.local_replies import RESPONSE_TIMEOUT
from pymesh.proxy.http_filters.upstream_try import UpstreamTry
from pymesh.proxy.timers import TimerQueue
from pymesh.proxy.upstream.failure import (
    MAX_STREAM_DURATION,
    PER_TRY_IDLE_TIMEOUT,
    PER_TRY_TIMEOUT,
    UpstreamFailure,
)


class RequestTimeouts(UpstreamTry):
    """The timers of an UpstreamRequest. All of them are the action's; a request without any pays for none.

    A queue is looked up where a timer starts, and is at hand where it stops: None where it does not run. There are none
    before `_expect_timers`.
    """

    __slots__ = ("_duration_queue", "_has_timers", "_idle_queue", "_per_try_queue", "_timeout_queue")

    _has_timers: bool
    _timeout_queue: TimerQueue | None
    _per_try_queue: TimerQueue | None
    _idle_queue: TimerQueue | None
    _duration_queue: TimerQueue | None

    def _expect_timers(self) -> None:
        self._has_timers = True
        self._timeout_queue = self._per_try_queue = self._idle_queue = self._duration_queue = None

    def _on_complete(self) -> None:
        """The whole request is there. Envoy: the route's timeout begins, but an upgrade is never complete."""
        timers, timeout = self._context.timers, self._action.timeout
        time = timers.time
        now = self._completed_at = time()
        if timeout and not self._stream.upgrade:
            queue = self._timeout_queue = timers.queues[RequestTimeouts.on_timeout][timeout]
            queue.begin(self, now)

    def _start_try_timeouts(self) -> None:
        """Envoy: they begin when the whole request is there and has a connection; the duration with the connection."""
        action, stream, timers = self._action, self._stream, self._context.timers
        if action.upstream_stream_duration:
            duration = action.upstream_stream_duration
            queue = self._duration_queue = timers.queues[RequestTimeouts.on_max_stream_duration][duration]
            queue.start(self)
        if not stream.is_request_complete or stream.upgrade:
            return
        if action.per_try_timeout:
            queue = self._per_try_queue = timers.queues[RequestTimeouts.on_per_try_timeout][action.per_try_timeout]
            queue.start(self)
        if action.per_try_idle_timeout:
            self._on_try_activity()

    def _on_try_activity(self) -> None:
        """Of a try that may be idle for so long only."""
        queue = self._idle_queue
        if queue is None:
            duration = self._action.per_try_idle_timeout
            queue = self._context.timers.queues[RequestTimeouts.on_per_try_idle_timeout][duration]
            self._idle_queue = queue
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
        if self._per_try_queue is not self._idle_queue or self._duration_queue is not None:  # else all are None
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
