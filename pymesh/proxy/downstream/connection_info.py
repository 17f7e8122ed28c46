"""What is known of a downstream connection once its filter chain is chosen."""

from collections.abc import Callable

from pymesh.proxy.tls.peer_identity import PeerIdentity


class ConnectionInfo:
    """One per accepted connection; addresses are `host:port` text, ready for logs. `peer` is None without mTLS.
    `is_redirected`: the local address is where the client was going, not where the proxy listens. `shows_identity`: the
    certificate that a TLS client sees is the workload's own, of the mesh. `alpn` is what was agreed on by TLS.

    The listener fills it before `connection_made` of the protocol that it is for; that protocol calls `on_close` once,
    at its `connection_lost`, or the listener would count the connection as open for ever.
    """

    __slots__ = (
        "alpn",
        "is_redirected",
        "is_tls",
        "listener",
        "local_address",
        "on_close",
        "peer",
        "remote_address",
        "shows_identity",
        "sni",
        "start",
    )

    def __init__(
        self,
        listener: str,
        local_address: str,
        remote_address: str,
        start: float,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        self.listener = listener
        self.local_address = local_address
        self.remote_address = remote_address
        self.start = start
        self.is_redirected = False
        self.is_tls = False
        self.shows_identity = True
        self.sni = ""
        self.alpn = ""
        self.peer: PeerIdentity | None = None
        self.on_close = on_close
