"""What an HTTP filter is, what it sees of a stream, and what it may answer.

A filter is one object for each HTTP connection manager, made when its configuration is applied; what it must remember
of a stream it keeps in an object of its own. Filters are synchronous and run in the order of the configuration; the
last one, the router, is terminal.
"""

import asyncio
from collections.abc import Callable, Coroutine
from enum import Enum
from functools import partial
from typing import Any, NamedTuple, Protocol

from pymesh.protojson import Reader
from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.routing.route import Route, RouteMatch, WeightedCluster
from pymesh.proxy.telemetry.stream_info import StreamInfo
from pymesh.proxy.timers import Timers
from pymesh.tasks import TaskGroup


class FilterStatus(Enum):
    """CONTINUE: the next filter is asked. STOP: whoever stopped the stream must call its `continue_request()`."""

    CONTINUE = 0
    STOP = 1


CONTINUE = FilterStatus.CONTINUE
STOP = FilterStatus.STOP


class LocalReply(NamedTuple):
    """An answer that the proxy itself gives. `details` is Envoy's response code detail, `flag` its response flag.

    A client of gRPC gets `grpc_status`, or what stands for `status` there.
    """

    status: int
    body: bytes = b""
    details: str = ""
    flag: str = ""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    grpc_status: int | None = None


class FilterContext(Protocol):
    """What a filter may use of the proxy; downstream.context.ProxyContext is one."""

    clusters: Any
    telemetry: Any
    peer_metadata: bytes  # of the own workload, as x-envoy-peer-metadata carries it
    node_type: str
    principal: str  # the proxy's own SPIFFE URI
    timers: Timers
    loop: asyncio.AbstractEventLoop
    tasks: TaskGroup

    @property
    def connect(self) -> Callable[..., Coroutine[Any, Any, asyncio.Transport]]:
        """How an endpoint is reached: upstream.transport's Connector."""

    def random(self) -> float:
        """Uniform in [0, 1)."""


class FilterStream(Protocol):
    """A stream as its filters see it: downstream.Stream is one.

    `weighted_cluster` is the one of the route's clusters that takes the stream, None where the route does not forward.
    `path` is what goes upstream, so far; `info.path` is what came. `edit_response` is called with the fields of the
    response, whoever gives it, after the route's own changes; see `add_response_edit`.
    """

    method: bytes
    path: bytes
    headers: HeaderMap
    info: StreamInfo
    match: RouteMatch | None
    weighted_cluster: WeightedCluster | None
    authority: bytes
    edit_response: Callable[[HeaderMap], None] | None

    def continue_request(self) -> None:
        """Go on after STOP, with the next filter. No effect on a stream that is over."""

    def send_local_reply(self, reply: LocalReply) -> None:
        """Answer now, from outside of the filter's own call. No effect on a stream that is over."""


def add_response_edit(stream: FilterStream, edit: Callable[[HeaderMap], None]) -> None:
    """A response passes the filters in the opposite order, so what is added last is done first, as in Envoy."""
    before = stream.edit_response
    stream.edit_response = edit if before is None else partial(_edit_in_turn, edit, before)


def _edit_in_turn(first: Callable[[HeaderMap], None], second: Callable[[HeaderMap], None], headers: HeaderMap) -> None:
    first(headers)
    second(headers)


class HttpFilter(Protocol):
    def on_request(self, stream: FilterStream) -> FilterStatus | LocalReply:
        """The request's head is here; its body may follow."""


class HttpFilterFactory(NamedTuple):
    """One kind of filter: how it is known in a configuration and how one is made of it.

    `decode` reads the filter's typed_config, `decode_route` its typed_per_filter_config of a route (None where there is
    no such thing), `build` makes the live filter of what `decode` returned. `is_idle`: with this configuration the
    filter would always CONTINUE on the route (None: there is none) and change nothing, so it is not asked.
    """

    type_url: str
    name: str
    decode: Callable[[Reader], Any]
    decode_route: Callable[[Reader], Any] | None
    build: Callable[[Any, FilterContext], HttpFilter]
    is_idle: Callable[[Any, Route | None], bool] = lambda config, route: False
