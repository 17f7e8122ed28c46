"""What a real Envoy holds of one subscription, by its REST form. Pure: the time is an argument.

Such an Envoy never says that it rejects: a request whose version_info is not what it was sent is its NACK.
"""

from typing import NamedTuple

import msgspec

from pymesh.control.xds.content import Resources, collection_version
from pymesh.control.xds.status import STALE_SECONDS, SYNCED, TypeStatus
from pymesh.xds import ErrorDetail, Node, Resource

# What was not taken is sent again after this many seconds, since it may have been lost on the way.
RESEND_SECONDS = 5.0

_NACK = "version {} was not accepted; the proxy's log says why"


class RestPoll(msgspec.Struct, frozen=True):
    """DiscoveryRequest. `type_url` may be absent, as the path says it too."""

    node: Node
    version_info: str = ""
    resource_names: tuple[str, ...] = ()
    type_url: str = ""
    response_nonce: str = ""
    error_detail: ErrorDetail | None = None


class RestResponse(NamedTuple):
    version: str
    resources: tuple[Resource, ...]


class RestSubscription:
    """One Envoy, one type, the names of one subscription (EDS has one a cluster); no names: all."""

    def __init__(self, names: frozenset[str] = frozenset()) -> None:
        self.last_poll = 0.0
        self.seen_revision = -1
        self._names = names
        self._accepted = ""
        self._sent = ""
        self._sent_at = 0.0
        self._rejection = ""

    def __repr__(self) -> str:
        return f"<RestSubscription {sorted(self._names)} accepted={self._accepted} sent={self._sent}>"

    def on_request(self, version_info: str, error: str, now: float) -> bool:
        """A poll begins. True if it is a rejection that was not known yet."""
        self.last_poll = now
        was_restarted = not version_info and bool(self._accepted)
        is_rejection = not was_restarted and bool(self._sent) and version_info != self._sent
        is_news = is_rejection and not self._rejection
        self._rejection = (error or _NACK.format(self._sent)) if is_rejection else ""
        self._accepted = version_info
        if was_restarted or (is_rejection and now - self._sent_at >= RESEND_SECONDS):
            self._sent = ""
        return is_news

    def next_response(self, current: Resources, now: float) -> RestResponse | None:
        """The resources, if they are neither what the proxy has nor what it has just rejected."""
        names = [name for name in current if not self._names or name in self._names]
        version = collection_version(current, names)
        if version == self._accepted:
            self._sent, self._rejection = version, ""
        if version == self._sent:
            return None
        self._sent, self._sent_at = version, now
        return RestResponse(version, tuple(current[name].resource for name in names))

    def status(self, now: float) -> TypeStatus:
        if self._rejection:
            return TypeStatus("REJECTED", self._rejection)
        if self._sent not in ("", self._accepted) and now - self._sent_at > STALE_SECONDS:
            return TypeStatus("STALE", f"not acknowledged for {now - self._sent_at:.0f} s")
        return SYNCED
