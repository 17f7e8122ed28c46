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
    """The timers of an UpstreamRequest. All of them are the action's; a request without any pays for none."""

    __slots__ = ()

    def _on_complete(self) -> None:
        """The whole request is there. Envoy: the route's timeout begins, but an upgrade is never complete."""
        self._completed_at = self._context.timers.time()
        if self._action.timeout and not self._stream.upgrade:
            self._queue_timeout(self._action.timeout).start(self)

    def _start_try_timeouts(self) -> None:
        """Envoy: they begin when the whole request is there and has a connection; the duration with the connection."""
        action = self._action
        if action.upstream_stream_duration:
            self._queue_duration(action.upstream_stream_duration).start(self)
        if not self._stream.is_request_complete or self._stream.upgrade:
            return
        if action.per_try_timeout:
            self._queue_per_try(action.per_try_timeout).start(self)
        self._on_try_activity()

    def _on_try_activity(self) -> None:
        if self._action.per_try_idle_timeout:
            self._queue_idle(self._action.per_try_idle_timeout).start(self)

    def _on_try_answered(self) -> None:
        """The response has begun: it may take as long as the whole request may."""
        if self._action.per_try_timeout:
            self._queue_per_try(self._action.per_try_timeout).stop(self)
        self._on_try_activity()

    def _stop_try_timeouts(self) -> None:
        action = self._action
        if action.per_try_timeout:
            self._queue_per_try(action.per_try_timeout).stop(self)
        if action.per_try_idle_timeout:
            self._queue_idle(action.per_try_idle_timeout).stop(self)
        if action.upstream_stream_duration:
            self._queue_duration(action.upstream_stream_duration).stop(self)

    def _stop_timeouts(self) -> None:
        if self._action.timeout:
            self._queue_timeout(self._action.timeout).stop(self)
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

    # one queue for each duration and purpose

    def _queue_timeout(self, duration: float) -> TimerQueue:
        return self._context.timers.queue(duration, RequestTimeouts.on_timeout)

    def _queue_per_try(self, duration: float) -> TimerQueue:
        return self._context.timers.queue(duration, RequestTimeouts.on_per_try_timeout)

    def _queue_idle(self, duration: float) -> TimerQueue:
        return self._context.timers.queue(duration, RequestTimeouts.on_per_try_idle_timeout)

    def _queue_duration(self, duration: float) -> TimerQueue:
        return self._context.timers.queue(duration, RequestTimeouts.on_max_stream_duration)
