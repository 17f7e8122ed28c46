"""What an external authorizer may answer, whichever protocol he was asked by."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.http_filters.filter import FilterContext, LocalReply, add_response_edit
from pymesh.proxy.upstream.cluster import Cluster

Edit = Callable[[HeaderMap], None]


class Permit(NamedTuple):
    """The request goes on with these changes; None: with none. `path` is what it becomes."""

    request: Edit | None = None
    response: Edit | None = None
    path: bytes | None = None

    def apply(self, stream: Any) -> None:
        if self.request is not None:
            self.request(stream.headers)
        if self.path is not None:
            stream.path = self.path
        if self.response is not None:
            add_response_edit(stream, self.response)

    @property
    def is_changing_request(self) -> bool:
        return self.request is not None or self.path is not None


Verdict = Permit | LocalReply | None  # None: the authorizer has failed
OnVerdict = Callable[[Verdict], None]


class Authorizer(Protocol):
    def ask(self, stream: Any, cluster: Cluster, context: FilterContext, on_verdict: OnVerdict) -> bool:
        """False: the question could not be put. Otherwise `on_verdict` is called once, later."""


def denied(status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]]) -> LocalReply:
    return LocalReply(status, body, "ext_authz_denied", "UAEX", tuple(headers))
