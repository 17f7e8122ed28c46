"""One listener: from an accepted socket to the filter chain whose protocol is put on it."""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from pymesh.proxy import net
from pymesh.proxy.downstream.acceptor import Acceptor
from pymesh.proxy.downstream.client_hello import ClientHello
from pymesh.proxy.downstream.connection_info import ConnectionInfo
from pymesh.proxy.downstream.context import ProxyContext
from pymesh.proxy.downstream.filter_chain import FilterChain, FilterChains, TlsAcceptor
from pymesh.proxy.downstream.filter_chain_match import TLS, ConnectionTraits
from pymesh.proxy.downstream.http_inspector import HttpPreface
from pymesh.proxy.downstream.listener_config import ListenerConfig
from pymesh.proxy.downstream.listener_stats import ListenerStats
from pymesh.proxy.downstream.tcp_proxy import format_address
from pymesh.proxy.downstream.tls_inspector import Found, TlsInspector
from pymesh.proxy.sockets import bound_address
from pymesh.tasks import TaskGroup
from pymesh.xds import Address

FindListener = Callable[[Address], "Listener | None"]

log = logging.getLogger(__name__)


class Listener:
    """Owns `sock`, which is bound, or has none and takes what others hand to it.

    Filter chains change under it; connections keep the chain that they came in by.
    """

    def __init__(
        self,
        config: ListenerConfig,
        context: ProxyContext,
        sock: socket.socket | None,
        find_listener: FindListener = lambda _: None,
    ) -> None:
        """`sock` is None for a listener that is not bound; `find_listener` finds the one that stands for an address."""
        self.config = config
        self.stats = ListenerStats()
        self.address = bound_address(sock) if sock is not None else config.address
        self._find_listener = find_listener
        self.chains = FilterChains(context)
        self.chains.update(config)
        self._context = context
        self._tasks = TaskGroup()
        self._inspector = TlsInspector(context.loop, context.timers)
        self._is_empty = asyncio.Event()
        self._acceptor = Acceptor(context.loop, sock, self._on_socket, self._on_pause) if sock is not None else None

    def update(self, config: ListenerConfig) -> None:
        """For the same address. Connections that are open, or on their way, are not touched."""
        self.chains.update(config)
        self.config = config

    def refuse_new(self) -> bool:
        """See Acceptor."""
        return self._acceptor is None or self._acceptor.refuse_new()

    def stop_accepting(self) -> None:
        """Connections that have no filter chain yet still get one."""
        if self._acceptor is not None:
            self._acceptor.close()

    async def wait_drained(self) -> None:
        """Returns when the last connection is gone, those of former filter chains among them."""
        while self.stats.downstream_cx_active:
            self._is_empty.clear()
            await self._is_empty.wait()

    def close(self) -> None:
        """Close the socket and all connections now."""
        self.stop_accepting()
        self._inspector.close()
        self.chains.close()

    async def aclose(self) -> None:
        self.close()
        await self._tasks.aclose()
        await self.chains.aclose()

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.config.name,
            "address": str(self.address),
            "port": self.address.port,
            "filter_chains": self.chains.names(),
            "stats": self.stats.as_dict(),
        }

    # from socket to filter chain

    def _on_socket(self, sock: socket.socket) -> None:
        if not self.config.restores_destination:
            self.take(sock, None)
            return
        destination = self._context.original_destination(sock)
        # A connection to an address that has no listener of its own is for this one.
        other = self._find_listener(destination) if destination is not None and self.config.hands_off else None
        (other or self).take(sock, destination)

    def take(self, sock: socket.socket, destination: Address | None) -> None:
        """An accepted connection; `destination` is where it was going before it was redirected, None if it was not."""
        stats, config = self.stats, self.config
        stats.downstream_cx_total += 1
        if stats.downstream_cx_active >= config.max_connections:
            stats.downstream_cx_overflow += 1
            sock.close()
            return
        if not self._context.connections.try_acquire():
            stats.downstream_global_cx_overflow += 1
            sock.close()
            return
        stats.downstream_cx_active += 1
        if config.needs_inspection:
            self._inspector.inspect(
                sock,
                config.inspection_timeout,
                partial(self._on_inspected, destination),
                partial(self._on_abandoned, destination),
                config.inspects_http_at((destination or self.address).port),
            )
        else:
            self._on_inspected(destination, sock, None)

    def _on_inspected(self, destination: Address | None, sock: socket.socket, hello: Found) -> None:
        """`hello` None: plaintext, or nobody has looked."""
        try:
            local, remote = sock.getsockname(), sock.getpeername()
        except OSError:  # reset meanwhile
            self._discard(sock)
            return
        if destination is not None:
            local = (destination.host, destination.port)
        address, port = local[:2] if isinstance(local, tuple) else ("", 0)
        chain = self.chains.find(_traits(address, port, hello))
        if chain is None:
            log.debug("%s: no filter chain for %s, %s", self.config.name, remote, hello or "plaintext")
            self.stats.no_filter_chain_match += 1
            self._discard(sock)
            return
        info = ConnectionInfo(
            self.config.name, format_address(local), format_address(remote), time.monotonic(), self._on_closed
        )
        info.sni = hello.server_name if isinstance(hello, ClientHello) else ""
        info.is_redirected = destination is not None
        if chain.tls is None:
            self._connect_plaintext(chain, sock, info)
        else:
            self._tasks.spawn(f"accept {self.config.name}", self._connect_tls(chain, sock, info))

    def _on_abandoned(self, destination: Address | None, sock: socket.socket, is_timeout: bool) -> None:
        self.stats.downstream_pre_cx_timeout += is_timeout
        if is_timeout and self.config.continues_on_timeout:
            self._on_inspected(destination, sock, None)
        else:
            self._discard(sock)

    # from filter chain to protocol

    def _connect_plaintext(self, chain: FilterChain, sock: socket.socket, info: ConnectionInfo) -> None:
        protocol, loop = chain.new_connection(info), self._context.loop
        try:
            is_attached = net.attach(loop, protocol, sock)
        except OSError as error:
            log.debug("%s: %s: %s", self.config.name, info.remote_address, error)
            self._discard(sock)
            return
        if not is_attached:
            self._tasks.spawn(f"accept {self.config.name}", net.accept(loop, lambda: protocol, sock))

    async def _connect_tls(self, chain: FilterChain, sock: socket.socket, info: ConnectionInfo) -> None:
        assert chain.tls is not None
        context = chain.tls.ssl_context()
        if context is None:
            log.debug("%s: no certificate yet for %s", self.config.name, info.remote_address)
            self.stats.ssl_context_missing += 1
            self._discard(sock)
            return
        acceptor = TlsAcceptor(chain, info)
        timeout = chain.config.handshake_timeout
        try:
            await net.accept(self._context.loop, lambda: acceptor, sock, tls=context, handshake_timeout=timeout)
        except OSError as error:  # ssl.SSLError and TimeoutError are among them
            log.debug("%s: TLS handshake with %s: %s", self.config.name, info.remote_address, error or type(error))
            self.stats.ssl_connection_error += 1
        else:
            self.stats.ssl_handshake += 1
        if acceptor.failure is not None:
            log.debug("%s: %s: %s", self.config.name, info.remote_address, acceptor.failure)
            self.stats.ssl_fail_verify_san += 1
        if not acceptor.is_connected:
            self._on_closed()

    def _discard(self, sock: socket.socket) -> None:
        sock.close()
        self._on_closed()

    def _on_closed(self) -> None:
        self.stats.downstream_cx_active -= 1
        self._context.connections.release()
        if not self.stats.downstream_cx_active:
            self._is_empty.set()

    def _on_pause(self) -> None:
        self.stats.accept_paused += 1


def _traits(address: str, port: int, found: Found) -> ConnectionTraits:
    if found is None:
        return ConnectionTraits(port, destination_address=address)
    if isinstance(found, HttpPreface):
        return ConnectionTraits(port, application_protocols=(found.protocol,), destination_address=address)
    return ConnectionTraits(port, found[0], TLS, found[1], address)
