"""Brings each proxy what changed: holds the polls, builds a proxy's resources when it is there to take them.

Knows neither snapshots nor translation nor HTTP: `build` makes a proxy's resources of whatever was published.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from pymesh.control.metrics import ControlMetrics
from pymesh.control.xds.content import Content, Versions
from pymesh.control.xds.rest_subscription import RestPoll, RestResponse
from pymesh.control.xds.session import Peer, Session
from pymesh.control.xds.session_table import SessionTable
from pymesh.control.xds.signal import Signal
from pymesh.control.xds.status import ProxyStatus
from pymesh.errors import PymeshError
from pymesh.xds import ROUTER, SECRET, SHORT_NAMES, DeltaAnswer, DeltaPoll, DeltaResponse, Node, ProxySettings, Resource

log = logging.getLogger(__name__)

# The death of a proxy between two polls is no event, so who waits for all proxies looks this often.
_LOOK_SECONDS = 0.5

SnapshotT = TypeVar("SnapshotT")
AnswerT = TypeVar("AnswerT")
Build = Callable[[SnapshotT, Node], Mapping[str, Mapping[str, Resource]]]


class ClosedError(PymeshError):
    """The control plane is about to end."""


class Publisher(Generic[SnapshotT]):
    """`clock` tells monotonic seconds. `revision` is that of the last snapshot; -1 before the first, which all polls
    wait for."""

    def __init__(
        self,
        build: Build[SnapshotT],
        metrics: ControlMetrics,
        clock: Callable[[], float] = time.monotonic,
        settings_of: Callable[[SnapshotT], ProxySettings] = lambda snapshot: ProxySettings(),
    ) -> None:
        self.revision = -1
        self._build = build
        self._settings_of = settings_of
        self._metrics = metrics
        self._clock = clock
        self._snapshot: SnapshotT | None = None
        self._versions = Versions()
        self._published_at = 0.0
        self._sessions = SessionTable()
        self._changed = Signal()
        self._answered = Signal()
        self._building = asyncio.Lock()
        self._is_closed = False
        metrics.proxies.set_function(lambda: sum(session.waiting > 0 for session in self._sessions))

    # what the controller and the registry call

    def publish(self, snapshot: SnapshotT, revision: int) -> None:
        """From now on proxies are to have this. Wakes those that wait; each builds its own resources.

        Another snapshot of the same revision has what the store does not know of, as a key set that was fetched.
        """
        if revision == self.revision:
            for session in self._sessions:
                session.revision = -1
        self._snapshot, self.revision, self._published_at = snapshot, revision, self._clock()
        self._versions = Versions()
        self._changed.notify()
        self._answered.notify()

    async def wait_converged(self, revision: int, timeout: float, leaving: str = "") -> bool:
        """True when every connected proxy, but the one named `leaving`, has answered to this revision; False after
        `timeout` seconds. The one that leaves is forgotten once it hangs up."""
        deadline = self._clock() + timeout
        for session in self._sessions:
            session.is_leaving |= session.name == leaving
        while not self._has_converged(revision, leaving):
            remaining = deadline - self._clock()
            if remaining <= 0:
                return False
            await self._answered.wait(min(remaining, _LOOK_SECONDS))
        return True

    def forget_idle(self) -> None:
        """Drop what is known of proxies that are gone. To be called now and then."""
        self._sessions.forget_idle(self._clock())

    def close(self) -> None:
        """End all polls, those to come too, with ClosedError."""
        self._is_closed = True
        self._changed.notify()
        self._answered.notify()

    # what operators ask

    @property
    def snapshot(self) -> SnapshotT | None:
        """What was published last."""
        return self._snapshot

    def statuses(self) -> list[ProxyStatus]:
        self.forget_idle()
        now = self._clock()
        return sorted((session.status(now) for session in self._sessions), key=lambda status: status.proxy)

    def connected(self) -> list[ProxyStatus]:
        """Of the proxies that poll, and do not leave."""
        now = self._clock()
        return [
            session.status(now) for session in self._sessions if session.is_connected(now) and not session.is_leaving
        ]

    def content_of(self, proxy: str) -> Content | None:
        """What the proxy of this name or node id is to have; None if it is not known."""
        sessions = [s for s in self._sessions if proxy in (s.name, s.node.id)]
        return max(sessions, key=lambda session: session.last_seen).content if sessions else None

    # what the endpoints call

    async def poll_delta(
        self, poll: DeltaPoll, peer: Peer, seconds: float, is_open: Callable[[], bool]
    ) -> DeltaAnswer | None:
        """The answer, or None when nothing changed for `seconds`. Raises UnknownNonceError, OverloadError, ClosedError.

        `is_open` tells whether the connection of the poll is.
        """
        session = self._sessions.of_delta(poll, peer, self._clock())
        session.is_open = is_open
        session.is_at(poll.node)
        for type_url in session.on_poll(poll.requests):
            self._count_rejection(session, type_url)
        type_urls = [request.type_url for request in poll.requests]
        answer = await self._hold(
            session,
            seconds,
            lambda: self._answer(session.next_responses(type_urls, self._clock()), poll.settings),
        )
        for response in answer.responses if answer is not None else ():
            self._metrics.pushes.labels(SHORT_NAMES[response.type_url].lower()).inc()
        return answer

    async def poll_rest(self, poll: RestPoll, peer: Peer, seconds: float) -> RestResponse | None:
        """As poll_delta, for one subscription of a real Envoy."""
        session = self._sessions.of_rest(poll.node, peer, self._clock())
        session.is_at(poll.node)
        subscription = session.subscription(poll.type_url, frozenset(poll.resource_names))
        error = poll.error_detail.message if poll.error_detail else ""
        if subscription.on_request(poll.version_info, error, self._clock()):
            self._count_rejection(session, poll.type_url)
        response = await self._hold(
            session, seconds, lambda: session.next_response(subscription, poll.type_url, self._clock())
        )
        if response is not None:
            self._metrics.pushes.labels(SHORT_NAMES[poll.type_url].lower()).inc()
        return response

    def _answer(self, responses: tuple[DeltaResponse, ...], had: ProxySettings | None) -> DeltaAnswer | None:
        """None where there is nothing new; `had` are the settings that the proxy has."""
        told = self._settings_of(self._snapshot) if had is not None and self._snapshot is not None else had
        news = told if told != had else None
        return DeltaAnswer(responses, news) if responses or news is not None else None

    async def _hold(
        self, session: Session, seconds: float, next_answer: Callable[[], AnswerT | None]
    ) -> AnswerT | None:
        """The answer as soon as there is one; None after `seconds`."""
        deadline = self._clock() + seconds
        session.waiting += 1
        try:
            while not self._is_closed:
                answer = await self._answer_now(session, next_answer)
                if answer is not None:
                    return answer
                if not await self._changed.wait(deadline - self._clock()):
                    return None
            raise ClosedError("the control plane is shutting down")
        finally:
            session.waiting -= 1
            session.last_seen = self._clock()
            self._answered.notify()

    async def _answer_now(self, session: Session, next_answer: Callable[[], AnswerT | None]) -> AnswerT | None:
        is_woken = session.revision != -1
        if session.revision != self.revision:
            await self._take_turn(session)
        if not session.has_content:
            return None
        answer = next_answer()
        if answer is None:
            session.on_seen()
            self._answered.notify()
        elif is_woken:
            self._metrics.convergence.observe(self._clock() - self._published_at)
        return answer

    async def _take_turn(self, session: Session) -> None:
        """Build the session's content, one session in each turn of the event loop, so that a thousand proxies woken at
        once do not keep it from everything else."""
        async with self._building:
            await asyncio.sleep(0)
            if self._snapshot is not None and session.revision != self.revision:
                self._refresh(session, self._snapshot)

    def _refresh(self, session: Session, snapshot: SnapshotT) -> None:
        session.revision = self.revision
        try:
            with self._metrics.push_time.time():
                content = self._versions.of_all(self._build(snapshot, session.node))
        except (
            Exception
        ):  # the one catch point: a bug that one proxy meets must not cost it what it has, nor the others
            self._metrics.build_failures.inc()
            log.exception("the configuration of %s at revision %d could not be built", session.name, self.revision)
            return
        session.on_built(content if _may_have_secrets(session) else {**content, SECRET: {}})

    def _has_converged(self, revision: int, leaving: str) -> bool:
        now = self._clock()
        return self.revision >= revision and all(
            session.has_seen(revision, now)
            for session in self._sessions
            if session.is_connected(now) and session.name != leaving
        )

    def _count_rejection(self, session: Session, type_url: str) -> None:
        name = SHORT_NAMES[type_url]
        self._metrics.rejects.inc()
        self._metrics.rejects_by_type[name].inc()
        log.warning("%s rejected %s: %s", session.name, name, session.type_statuses(self._clock())[name].reason)


def _may_have_secrets(session: Session) -> bool:
    """A gateway that has proven its namespace, and nobody on a connection without a proof."""
    return session.peer.identity is not None and session.node.type == ROUTER
