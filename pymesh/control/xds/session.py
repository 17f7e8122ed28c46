"""One proxy that polls: who it is, what it is to have, and what it has. No IO; the time is an argument."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from pymesh.control.xds.content import EMPTY, Content
from pymesh.control.xds.delta_subscription import DeltaSubscription
from pymesh.control.xds.rest_subscription import RestResponse, RestSubscription
from pymesh.control.xds.status import STALE_SECONDS, ProxyStatus, TypeStatus, proxy_name, worst
from pymesh.spiffe import SpiffeId
from pymesh.xds import POLL_SECONDS, SHORT_NAMES, DeltaRequest, DeltaResponse, Node

# An Envoy polls each cluster's endpoints by themselves; more subscriptions than these push out the oldest.
MOST_SUBSCRIPTIONS = 5000


class Peer(NamedTuple):
    """Whose session it is: a node id and, on TLS, the identity that was proven."""

    node_id: str
    identity: SpiffeId | None


class Session:
    """What both protocols share. `revision` is the last one that was tried to be built for it, `built_revision` that of
    `content`, `seen_revision` the last of which the proxy has all, accepted or rejected. `waiting` counts its polls
    that are held. `is_leaving`: it has given its lease back and will not return."""

    protocol = ""

    def __init__(self, peer: Peer, node: Node) -> None:
        self.peer = peer
        self.node = node
        self.content: Content = EMPTY
        self.revision = -1
        self.built_revision = -1
        self.seen_revision = -1
        self.waiting = 0
        self.is_leaving = False
        self.last_seen = 0.0
        self.is_open: Callable[[], bool] = lambda: True

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} revision={self.revision} waiting={self.waiting}>"

    @property
    def name(self) -> str:
        return proxy_name(self.node.id)

    @property
    def has_content(self) -> bool:
        return self.built_revision != -1

    def is_at(self, node: Node) -> None:
        """The proxy may listen elsewhere than at its last poll; then its content is to be built again."""
        if node != self.node:
            self.node, self.revision = node, -1

    def on_built(self, content: Content) -> None:
        self.content, self.built_revision = content, self.revision

    def on_seen(self) -> None:
        """The proxy has nothing more to get of `content`."""
        self.seen_revision = self.built_revision

    def has_seen(self, revision: int, now: float) -> bool:
        return self.seen_revision >= revision

    def is_connected(self, now: float) -> bool:
        """A poll is held, or the last one was just answered and the next has not come yet."""
        return self.waiting > 0 or (now - self.last_seen < STALE_SECONDS and self.is_open())

    def status(self, now: float) -> ProxyStatus:
        types = self.type_statuses(now)
        if not self.is_connected(now):
            away = TypeStatus("STALE", f"not connected for {now - self.last_seen:.0f} s")
            types = {name: worst([status, away]) for name, status in types.items()}
        return ProxyStatus(self.name, self.node.id, self.protocol, self.seen_revision, types)

    def type_statuses(self, now: float) -> dict[str, TypeStatus]:
        """By short name of the type."""
        raise NotImplementedError


class DeltaSession(Session):
    """One of our proxies. Its nonces begin with `id`, so that they tell which session they belong to: two proxies with
    the same node id do not disturb each other, and nonces of another control plane are not known here."""

    protocol = "delta"

    def __init__(self, peer: Peer, node: Node, identifier: str) -> None:
        super().__init__(peer, node)
        self.id = identifier
        self._subscriptions: dict[str, DeltaSubscription] = {}
        self._last_nonce = 0

    def recognizes(self, requests: Iterable[DeltaRequest]) -> bool:
        return all(
            not request.response_nonce or self._subscription(request).recognizes(request.response_nonce)
            for request in requests
        )

    def on_poll(self, requests: Iterable[DeltaRequest]) -> list[str]:
        """Take what the proxy says of each type. Returns the type URLs of what it newly rejects."""
        return [request.type_url for request in requests if self._on_request(request)]

    def next_responses(self, type_urls: Iterable[str], now: float) -> tuple[DeltaResponse, ...]:
        """Empty: the proxy has all of `content`."""
        candidates = [
            self._subscriptions[type_url].next_response(self.content[type_url], self._next_nonce(), now)
            for type_url in type_urls
        ]
        return tuple(response for response in candidates if response is not None)

    def type_statuses(self, now: float) -> dict[str, TypeStatus]:
        return {SHORT_NAMES[type_url]: sub.status(now) for type_url, sub in self._subscriptions.items()}

    def _on_request(self, request: DeltaRequest) -> bool:
        subscription = self._subscription(request)
        if request.response_nonce:
            return subscription.acknowledge(request.response_nonce, request.error_detail)
        subscription.declare(request.initial_resource_versions)
        return False

    def _subscription(self, request: DeltaRequest) -> DeltaSubscription:
        return self._subscriptions.setdefault(request.type_url, DeltaSubscription(request.type_url))

    def _next_nonce(self) -> str:
        self._last_nonce += 1
        return f"{self.id}-{self._last_nonce}"


class RestSession(Session):
    """A real Envoy, or several with one node id, whose polls cannot be told apart."""

    protocol = "rest"

    def __init__(self, peer: Peer, node: Node) -> None:
        super().__init__(peer, node)
        self._subscriptions: dict[tuple[str, frozenset[str]], RestSubscription] = {}

    def subscription(self, type_url: str, names: frozenset[str]) -> RestSubscription:
        key = (type_url, names)
        subscription = self._subscriptions.pop(key, None) or RestSubscription(names)
        self._subscriptions[key] = subscription  # at the end: the first is the one that polled longest ago
        if len(self._subscriptions) > MOST_SUBSCRIPTIONS:
            self._subscriptions.pop(next(iter(self._subscriptions)))
        return subscription

    def next_response(self, subscription: RestSubscription, type_url: str, now: float) -> RestResponse | None:
        response = subscription.next_response(self.content[type_url], now)
        if response is None:
            subscription.seen_revision = self.built_revision
        return response

    def has_seen(self, revision: int, now: float) -> bool:
        """What has not polled for longer than a poll is held is a subscription that the Envoy has dropped."""
        current = [sub for sub in self._subscriptions.values() if now - sub.last_poll < POLL_SECONDS + STALE_SECONDS]
        return all(subscription.seen_revision >= revision for subscription in current)

    def forget_subscriptions(self, before: float) -> None:
        """Those that have not polled since, because the Envoy has dropped them."""
        self._subscriptions = {key: sub for key, sub in self._subscriptions.items() if sub.last_poll >= before}

    def type_statuses(self, now: float) -> dict[str, TypeStatus]:
        by_type: dict[str, list[TypeStatus]] = {}
        for (type_url, _), subscription in self._subscriptions.items():
            by_type.setdefault(SHORT_NAMES[type_url], []).append(subscription.status(now))
        return {name: worst(statuses) for name, statuses in by_type.items()}
