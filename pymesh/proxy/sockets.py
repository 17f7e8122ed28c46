"""The sockets that a proxy binds before it has any configuration, so that it can say where it will listen."""

import errno
import ipaddress
import os
import socket
from pathlib import Path

from pymesh.errors import UsageError
from pymesh.proxy.net import unix_address, unix_path
from pymesh.xds import UNIX_PREFIX, Address

_BACKLOG = 1024
_DOCUMENTATION_ADDRESS = ("192.0.2.1", 9)  # RFC 5737; routed, never reached: a UDP connect sends nothing


def bind_address(address: Address, preferred_port: int = 0, is_shared: bool = False) -> socket.socket:
    """Bind and listen. Port 0 means `preferred_port`, if it is free, else any. Raises UsageError.

    It listens at once because SO_REUSEADDR shows an occupied port only then. Who connects before the proxy is
    configured waits in the backlog. If `is_shared`, `bind_shared` can add further sockets.
    """
    listen = _listen_shared if is_shared else _listen
    if address.port == 0 and preferred_port:
        try:
            return listen(address.host, preferred_port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise _usage_error(address, error) from error
    try:
        return listen(address.host, address.port)
    except OSError as error:
        raise _usage_error(address, error) from error


def bind_shared(address: Address) -> socket.socket:
    """One more socket that listens where another does already that is shared. Raises UsageError."""
    try:
        return _listen(address.host, address.port, socket.SO_REUSEPORT)
    except OSError as error:
        raise _usage_error(address, error) from error


def bind_flag(flag: str, address: Address, preferred_port: int = 0, is_shared: bool = False) -> socket.socket:
    """`bind_address` for the value of a flag, which the error names where any port would do. Raises UsageError."""
    try:
        return bind_address(address, preferred_port, is_shared)
    except UsageError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EADDRINUSE:
            any_port = Address(address.host, 0)
            raise UsageError(f"{error}; {flag} {any_port} takes any port that is free") from error
        raise


def reserve_port(host: str, preferred_port: int = 0) -> socket.socket:
    """A port that nobody else is given while the socket is open, `preferred_port` if it is free. Raises UsageError.

    It does not listen, so that connections are refused and whoever sets SO_REUSEADDR may listen on the port.
    """
    return reserve(bind_address(Address(host, 0), preferred_port))  # listening shows whether it is free


def reserve(listening: socket.socket) -> socket.socket:
    """Hold the port without listening: until `start_listening`, connections are refused and wait in no backlog."""
    options = (socket.SO_REUSEADDR, socket.SO_REUSEPORT)
    with listening:
        address = listening.getsockname()
        set_options = [option for option in options if listening.getsockopt(socket.SOL_SOCKET, option)]
        reserved = socket.socket(listening.family, socket.SOCK_STREAM)
    for option in set_options:
        reserved.setsockopt(socket.SOL_SOCKET, option, 1)
    reserved.bind(address)
    reserved.setblocking(False)
    return reserved


def start_listening(sock: socket.socket) -> socket.socket:
    """Listen, if it does not yet."""
    sock.listen(_BACKLOG)
    return sock


def bound_address(sock: socket.socket) -> Address:
    name = sock.getsockname()
    return Address(*name[:2]) if isinstance(name, tuple) else Address(unix_address(name), 0)


def advertised_host(bind_host: str) -> str:
    """Where peers reach a socket bound to `bind_host`: that host, or for a wildcard this machine's own address."""
    if not is_wildcard(bind_host):
        return bind_host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_DOCUMENTATION_ADDRESS)
        except OSError:  # no route: a machine without a network
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def is_wildcard(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def can_bind_privileged_ports() -> bool:
    """Whether this process may listen on ports below 1024 (root, CAP_NET_BIND_SERVICE, or a lowered kernel limit)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", 1))
        except OSError as error:
            return error.errno not in (errno.EACCES, errno.EPERM)
        return True


def _listen_shared(host: str, port: int) -> socket.socket:
    """With SO_REUSEPORT alone, a port that another of our proxies shares among its workers would seem to be free."""
    if port:
        _listen(host, port).close()
    return _listen(host, port, socket.SO_REUSEPORT)


def _listen(host: str, port: int, *options: int) -> socket.socket:
    if host.startswith(UNIX_PREFIX):
        return _listen_unix(unix_path(host))
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        for option in (socket.SO_REUSEADDR, *options):
            sock.setsockopt(socket.SOL_SOCKET, option, 1)
        sock.bind(address)
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


def _listen_unix(path: str) -> socket.socket:
    """A socket that nobody listens at any more, a former process's, is in the way and is removed."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if sock.connect_ex(path) == errno.ECONNREFUSED and path[0] != "\0" and Path(path).is_socket():
            os.unlink(path)
        sock.close()
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind(path)
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


def _usage_error(address: Address, error: OSError) -> UsageError:
    # gaierror numbers are not errno's; its own text is the better one
    reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
    return UsageError(f"cannot listen on {address}: {reason}")
