"""The HTTP connection manager: what all HTTP connections of one filter chain share, compiled from its configuration."""

import asyncio

from pymesh.proxy.downstream.connection_info import ConnectionInfo
from pymesh.proxy.downstream.context import ProxyContext
from pymesh.proxy.downstream.hcm_config import HttpConnectionManagerConfig


class HttpConnectionManager:
    """The terminal network filter of an HTTP filter chain. `is_inbound`: the listener's traffic direction."""

    def __init__(self, config: HttpConnectionManagerConfig, context: ProxyContext, is_inbound: bool) -> None:
        self.config = config
        self.context = context
        self.is_inbound = is_inbound

    def new_connection(self, info: ConnectionInfo) -> asyncio.Protocol:
        """The protocol for one accepted connection. With TLS, it fills `info.peer` at `connection_made`."""
        raise NotImplementedError

    def drain(self) -> None:
        """Answer with `connection: close` from now on, and close connections as they become idle."""
        raise NotImplementedError

    async def wait_drained(self) -> None:
        """Returns when the last connection is gone."""
        raise NotImplementedError

    def close(self) -> None:
        """Close all connections now."""
        raise NotImplementedError
