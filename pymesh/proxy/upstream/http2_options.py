"""How HTTP/2 is spoken to a cluster, and whether: Http2ProtocolOptions, decoded. No behaviour."""

from dataclasses import dataclass
from enum import Enum
from typing import Final


class UpstreamProtocol(Enum):
    """DOWNSTREAM: what the client speaks, over connections of its own kind."""

    HTTP1 = 1
    HTTP2 = 2
    DOWNSTREAM = 3


@dataclass(frozen=True, slots=True)
class Http2Options:
    """Times in seconds. `max_concurrent_streams`: on one connection at most; the server may allow fewer.

    `keepalive_interval` 0: no PING, else one in every such interval, answered within `keepalive_timeout`, or the
    connection is dead.
    """

    max_concurrent_streams: int = 1024
    keepalive_interval: float = 0.0
    keepalive_timeout: float = 0.0


DEFAULT_HTTP2: Final = Http2Options()
