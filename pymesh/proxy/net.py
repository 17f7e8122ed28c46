"""The one module that knows which transports carry our bytes: aiofastnet's on uvloop, or the loop's own.

`PYMESH_TRANSPORT=uvloop` switches to the loop's own. Nothing of ours is imported here but what aiofastnet needs.
"""

import asyncio
import fcntl
import os
import socket
import ssl
import termios
from collections.abc import Callable

import aiofastnet
from aiofastnet.selector_transport import SelectorSocketTransport

from pymesh.proxy.reset_watcher import watch_for_reset

ProtocolFactory = Callable[[], asyncio.BaseProtocol]

_UNIX = "unix://"

USES_AIOFASTNET = os.environ.get("PYMESH_TRANSPORT", "aiofastnet") == "aiofastnet"


async def _connect_unix(loop: asyncio.AbstractEventLoop, path: str) -> socket.socket:
    """uvloop itself knows no abstract names."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await loop.sock_connect(sock, path)
    except BaseException:
        sock.close()
        raise
    return sock


def unix_path(address: str) -> str:
    """Of `unix:///PATH` or `unix://@NAME`, a name that is in no file system (unix(7): abstract)."""
    path = address.removeprefix(_UNIX)
    return "\0" + path[1:] if path.startswith("@") else path


def unix_address(name: str | bytes) -> str:
    """Of a Unix socket's name, as the kernel tells it."""
    return _UNIX + (name if isinstance(name, str) else "@" + name.removeprefix(b"\0").decode("latin-1"))


async def connect(
    loop: asyncio.AbstractEventLoop,
    factory: ProtocolFactory,
    host: str,
    port: int,
    *,
    tls: ssl.SSLContext | None = None,
    server_hostname: str | None = None,
) -> asyncio.Transport:
    """Open a TCP connection, with TLS where a context is given (`server_hostname` is its SNI; "" sends none).

    `host` may be `unix://PATH`. Raises OSError (ssl.SSLError among them). The caller bounds the time.
    """
    name = (server_hostname or "") if tls is not None else None
    if host.startswith(_UNIX):
        sock = await _connect_unix(loop, unix_path(host))
        unix_transport, _ = await loop.create_unix_connection(factory, sock=sock, ssl=tls, server_hostname=name)
        return unix_transport
    if USES_AIOFASTNET:
        transport, _ = await aiofastnet.create_connection(loop, factory, host, port, ssl=tls, server_hostname=name)
        watch_for_reset(loop, transport, is_accepted=False)
    else:
        transport, _ = await loop.create_connection(factory, host, port, ssl=tls, server_hostname=name)
    return transport


async def accept(
    loop: asyncio.AbstractEventLoop,
    factory: ProtocolFactory,
    sock: socket.socket,
    *,
    tls: ssl.SSLContext | None = None,
    handshake_timeout: float | None = None,
) -> asyncio.Transport:
    """Put a protocol on an accepted, non-blocking socket; returns when the TLS handshake, if any, is done.

    `handshake_timeout` in seconds. Raises OSError (ssl.SSLError among them); the socket is closed then.
    """
    timeout = handshake_timeout if tls is not None else None
    if USES_AIOFASTNET:
        transport, _ = await aiofastnet.connect_accepted_socket(
            loop, factory, sock, ssl=tls, ssl_handshake_timeout=timeout
        )
        watch_for_reset(loop, transport, is_accepted=True)
    else:
        transport, _ = await loop.connect_accepted_socket(factory, sock, ssl=tls, ssl_handshake_timeout=timeout)
    return transport


def attach(loop: asyncio.AbstractEventLoop, protocol: asyncio.BaseProtocol, sock: socket.socket) -> bool:
    """`accept` for plaintext, without a task: the protocol hears of its connection in the loop's next turn.

    False where the transports in use have no such way. Raises OSError; the caller closes the socket then.
    """
    if not USES_AIOFASTNET:
        return False
    watch_for_reset(loop, SelectorSocketTransport(loop, sock, protocol), is_accepted=True)
    return True


async def listen(
    loop: asyncio.AbstractEventLoop, factory: ProtocolFactory, sock: socket.socket, *, backlog: int = 1024
) -> asyncio.AbstractServer:
    """Accept plaintext connections on a bound socket; the server owns the socket."""
    if USES_AIOFASTNET:
        return await aiofastnet.create_server(loop, factory, sock=sock, backlog=backlog)
    return await loop.create_server(factory, sock=sock, backlog=backlog)


# TLS transports close as a whole. After one side's EOF the other, behind TLS, goes on until it was silent this long.
HALF_CLOSE_GRACE = 2.0


def end_writing(transport: asyncio.WriteTransport) -> None:
    """Say that nothing more comes (`can_write_eof` said that this can be said). Where the peer has reset the connection
    and nobody has noticed yet, that is noticed now: the protocol hears `connection_lost`."""
    try:
        transport.write_eof()
    except OSError:
        transport.abort()


def has_unread(transport: asyncio.BaseTransport) -> bool:
    """Whether the kernel holds bytes of the peer's that the transport has not read yet."""
    sock = transport.get_extra_info("socket")
    if sock is None:
        return False
    try:
        return any(fcntl.ioctl(sock.fileno(), termios.FIONREAD, bytes(4)))
    except OSError:  # closed meanwhile
        return False
