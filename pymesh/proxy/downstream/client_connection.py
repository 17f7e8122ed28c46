"""What connections of HTTP clients have in common, whatever version they speak: who the client is, and the end."""

import asyncio
from typing import Any

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.message import CodecError
from pymesh.proxy.codec.request_parser import FRAGMENT, MISSING_HOST
from pymesh.proxy.codec.serializer import reason_phrase
from pymesh.proxy.downstream.connection_info import ConnectionInfo
from pymesh.proxy.downstream.forwarded_client_cert import XFCC, ForwardedClientCert
from pymesh.proxy.downstream.hcm_config import ALWAYS_FORWARD_ONLY
from pymesh.proxy.http_filters.filter import LocalReply
from pymesh.proxy.net import end_writing

# The head was read, and only then refused: Envoy answers without a body, and does not call it a protocol error.
_REFUSED_HEADS = (MISSING_HOST, FRAGMENT)


class ClientConnection(asyncio.Protocol):
    """Lives from `connection_made` to `connection_lost`, between which its manager knows it."""

    __slots__ = (
        "_transport",
        "_unsent",
        "client_cert",
        "idle_since",
        "info",
        "is_closing",
        "is_last_request",
        "is_write_paused",
        "manager",
        "principal",
        "remote_ip",
        "scheme",
        "write",
        "writelines",
    )

    def __init__(self, manager: Any, info: ConnectionInfo) -> None:
        self.manager = manager
        self.info = info
        self._transport: Any = None
        self.write: Any = None
        self.writelines: Any = None
        # what all its requests share
        self.remote_ip = info.remote_address.rpartition(":")[0].strip("[]").encode()
        self.scheme = b"http"
        self.principal = ""
        self.client_cert: ForwardedClientCert | None = None  # None: whatever a client says there, goes
        # state
        self.is_last_request = False  # tell the client with the next response
        self.is_write_paused = False
        self.idle_since = 0.0  # where there is no stream
        self.is_closing = False
        self._unsent = 0  # bytes, at the last look at a connection that is to close

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self.write = transport.write
        self.writelines = transport.writelines
        manager, info = self.manager, self.info
        self.scheme = b"https" if info.is_tls else b"http"
        self.principal = "" if info.peer is None else info.peer.principal
        if info.peer is not None or manager.config.forward_client_cert_details == ALWAYS_FORWARD_ONLY:
            principal = manager.context.principal if info.shows_identity else ""
            self.client_cert = ForwardedClientCert(manager.config, info.peer, principal)
        self.is_last_request = manager.is_draining
        manager.on_connection_made(self)
        self.idle_since = manager.time()

    def apply_client_cert(self, headers: HeaderMap) -> None:
        if self.client_cert is None:
            headers.remove(XFCC)
        else:
            self.client_cert.apply(headers)

    @property
    def active_requests(self) -> int:
        raise NotImplementedError

    # closing

    def retire(self) -> None:
        """Have the client leave, without losing what it may just be sending."""
        raise NotImplementedError

    def drain(self, idle_seconds: float = 0.0) -> None:
        """The same; without a request for so long, close."""
        raise NotImplementedError

    def on_idle_timeout(self) -> None:
        raise NotImplementedError

    def abort(self) -> None:
        """At once, whatever is written or not."""
        self.is_closing = True
        if self._transport is not None:
            self._transport.abort()

    def _read_on(self) -> None:
        """What comes from now on is thrown away, so it must be read."""

    def _close(self, is_unread: bool) -> None:
        """`is_unread`: the client may still be sending. To close at once would reset the connection, and the client
        could lose the response that it has not read yet; so our side ends first, and what comes is thrown away."""
        if self.is_closing:
            return
        self.is_closing = True
        delayed, transport = self.manager.delayed_closes, self._transport
        self._unsent = transport.get_write_buffer_size()
        if is_unread and delayed is not None and transport.can_write_eof():
            end_writing(transport)
            delayed.start(self)
            self._read_on()
            return
        transport.close()
        if delayed is not None and self._unsent:
            delayed.start(self)

    def on_delayed_close(self) -> None:
        """The client has had its time. While it reads what is left of a response, it gets more."""
        unsent = self._transport.get_write_buffer_size()
        if not 0 < unsent < self._unsent:
            self.abort()
            return
        self._unsent = unsent
        if self.manager.delayed_closes is not None:
            self.manager.delayed_closes.start(self)


def codec_reply(error: CodecError) -> LocalReply:
    if error in _REFUSED_HEADS:
        return LocalReply(error.status, b"", error.details)
    return LocalReply(error.status, reason_phrase(error.status), error.details, "DPE")
