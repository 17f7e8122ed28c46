"""The proxies that poll, found by what they show: a nonce, or a node id. Bounded. No IO; the time is an argument."""

import secrets
from collections.abc import Iterator
from typing import TypeVar

from pymesh.control.xds.session import DeltaSession, Peer, RestSession, Session
from pymesh.errors import PymeshError
from pymesh.xds import DeltaPoll, Node

# A proxy that has not polled for this many seconds is forgotten; when it returns it says what it holds.
FORGET_SECONDS = 300.0
# An Envoy's subscription that is not held any more.
FORGET_SUBSCRIPTION_SECONDS = 120.0
MOST_SESSIONS = 10_000

AnySession = TypeVar("AnySession", bound=Session)


class UnknownNonceError(PymeshError):
    """The nonces are of another control plane, or of before the proxy was forgotten."""


class OverloadError(PymeshError):
    """More proxies than the control plane can hold."""


class SessionTable:
    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}

    def __iter__(self) -> Iterator[Session]:
        return iter(self._sessions.values())

    def of_delta(self, poll: DeltaPoll, peer: Peer, now: float) -> DeltaSession:
        """The session of the poll's nonces; a new one without any. Raises UnknownNonceError and OverloadError."""
        nonces = [request.response_nonce for request in poll.requests if request.response_nonce]
        if not nonces:
            return self._begin(poll, peer, now)
        session = self._sessions.get(nonces[0].partition("-")[0])
        if not isinstance(session, DeltaSession) or session.peer != peer or not session.recognizes(poll.requests):
            raise UnknownNonceError("a nonce is not known; poll anew with initial_resource_versions")
        return session

    def of_rest(self, node: Node, peer: Peer, now: float) -> RestSession:
        """Raises OverloadError."""
        key = f"rest {peer.identity} {peer.node_id}"
        session = self._sessions.get(key)
        return session if isinstance(session, RestSession) else self._add(key, RestSession(peer, node), now)

    def forget_idle(self, now: float) -> None:
        """Drop what is known of proxies that are gone. To be called now and then."""
        connected = {session.peer for session in self if session.is_connected(now)}
        for key, session in list(self._sessions.items()):
            if isinstance(session, RestSession):
                session.forget_subscriptions(now - FORGET_SUBSCRIPTION_SECONDS)
            is_over = session.is_leaving or session.peer in connected or now - session.last_seen > FORGET_SECONDS
            if is_over and not session.is_connected(now):
                del self._sessions[key]

    def _begin(self, poll: DeltaPoll, peer: Peer, now: float) -> DeltaSession:
        for key, session in list(self._sessions.items()):
            if session.peer == peer and session.waiting == 0:
                del self._sessions[key]  # the same proxy begins anew
        identifier = secrets.token_hex(8)
        return self._add(identifier, DeltaSession(peer, poll.node, identifier), now)

    def _add(self, key: str, session: AnySession, now: float) -> AnySession:
        if len(self._sessions) >= MOST_SESSIONS:
            self.forget_idle(now)
        if len(self._sessions) >= MOST_SESSIONS:
            raise OverloadError(f"{MOST_SESSIONS} proxies are connected already")
        self._sessions[key] = session
        return session
