"""What a proxy holds of one type, by the delta protocol. Pure: the time is an argument.

https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#incremental-xds
"""

from typing import NamedTuple

from pymesh.control.xds.content import Resources
from pymesh.control.xds.status import STALE_SECONDS, SYNCED, TypeStatus
from pymesh.xds import DeltaResource, DeltaResponse, ErrorDetail

Versions = dict[str, str]  # resource name -> version


class _Sent(NamedTuple):
    """An answer that the proxy has yet to acknowledge. `versions` is what it holds once it has."""

    nonce: str
    versions: Versions
    names: tuple[str, ...]
    at: float


class _Rejection(NamedTuple):
    version: str
    reason: str


class DeltaSubscription:
    """One proxy, one type. `known` is what the proxy was told and has answered to, accepted or not: a resource that it
    rejected is not sent again before its content changes."""

    def __init__(self, type_url: str) -> None:
        self.type_url = type_url
        self.known: Versions = {}
        self._nonce = ""  # of the last answer that was acknowledged
        self._sent: _Sent | None = None
        self._rejected: dict[str, _Rejection] = {}

    def __repr__(self) -> str:
        return f"<DeltaSubscription {self.type_url} known={len(self.known)} sent={self._sent is not None}>"

    def declare(self, versions: Versions) -> None:
        """A request without a nonce: the proxy says what it holds, and forgets all that was said before."""
        self.known = dict(versions)
        self._nonce = ""
        self._sent = None
        self._rejected = {}

    def recognizes(self, nonce: str) -> bool:
        return nonce == self._nonce or (self._sent is not None and nonce == self._sent.nonce)

    def acknowledge(self, nonce: str, error: ErrorDetail | None) -> bool:
        """The proxy has seen the answer of this nonce. True if this is news and the answer was rejected."""
        sent, self._sent = self._sent, None
        if sent is None or nonce != sent.nonce:
            return False  # the answer after it was lost on the way: what it told is not known
        self.known, self._nonce = sent.versions, sent.nonce
        self._forget_outdated_rejections()
        if error is not None:
            self._reject(sent, error.message)
        return error is not None

    def next_response(self, current: Resources, nonce: str, now: float) -> DeltaResponse | None:
        """What the proxy does not have, or has and should not; None if there is nothing of that kind.

        The first answer is given even when it is empty: it carries the nonce and tells the proxy that it is complete.
        """
        changed = [name for name, entry in current.items() if self.known.get(name) != entry.version]
        removed = tuple(name for name in self.known if name not in current)
        if self._nonce and not changed and not removed:
            return None
        versions = {name: entry.version for name, entry in current.items()}
        self._sent = _Sent(nonce, versions, tuple(changed), now)
        resources = tuple(DeltaResource(name, *current[name]) for name in changed)
        return DeltaResponse(self.type_url, nonce, resources, removed)

    def status(self, now: float) -> TypeStatus:
        if self._rejected:
            reasons = dict.fromkeys(rejection.reason for rejection in self._rejected.values())
            return TypeStatus("REJECTED", "; ".join(reasons))
        if self._sent is not None and now - self._sent.at > STALE_SECONDS:
            return TypeStatus("STALE", f"not acknowledged for {now - self._sent.at:.0f} s")
        return SYNCED

    def _reject(self, sent: _Sent, reason: str) -> None:
        # Our proxies name the resources that they refused and apply the others; who names none has refused all.
        named = [name for name in sent.names if f"{name}: " in reason] or sent.names
        self._rejected |= {name: _Rejection(sent.versions[name], reason) for name in named}

    def _forget_outdated_rejections(self) -> None:
        is_current = {name: self.known.get(name) == rejection.version for name, rejection in self._rejected.items()}
        self._rejected = {name: rejection for name, rejection in self._rejected.items() if is_current[name]}
