"""The control plane's HTTP listeners: which routes each has, and who may call them.

plaintext   loopback only: everything
TLS         what proxies need, for callers with a certificate of the mesh; the CA also for those who have none yet
monitoring  metrics for everybody who reaches it, /debug for callers on this machine
"""

import errno
import os
import socket
import ssl
from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from pymesh.control.authentication import is_loopback, require_identity
from pymesh.control.model.validation.syntax import is_ip_address
from pymesh.errors import UsageError
from pymesh.xds import CERTIFICATE_PATH, ROOT_CERTIFICATE_PATH, Address

MOST_BODY_BYTES = 16 * 1024 * 1024

# Handlers that have not ended so long after the end was announced are cancelled.
_SHUTDOWN_SECONDS = 0.5

_OPEN_PATHS = (CERTIFICATE_PATH, ROOT_CERTIFICATE_PATH)


class HttpListener:
    """One address and its routes. `flag` is named where the address cannot be bound."""

    def __init__(self, flag: str, address: Address, app: web.Application, tls: ssl.SSLContext | None = None) -> None:
        self._flag = flag
        self._address = address
        self._tls = tls
        # Cancellation tells a held poll that its proxy has hung up. It tears no write to the store.
        self._runner = web.AppRunner(
            app, handler_cancellation=True, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS
        )

    @property
    def url(self) -> str:
        """Where callers on this machine reach it, once it has started."""
        host, port = self._runner.addresses[0][:2]
        wildcard = {"0.0.0.0": "127.0.0.1", "::": "::1"}
        return f"{'https' if self._tls else 'http'}://{Address(wildcard.get(host, host), port)}"

    async def start(self) -> None:
        """Raises UsageError."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._address.host, self._address.port, ssl_context=self._tls)
        try:
            await site.start()
        except OSError as error:
            raise UsageError(f"{self._flag} {self._address}: {_reason(error)}") from error

    async def aclose(self) -> None:
        await self._runner.cleanup()


def plaintext_listener(address: Address, routes: Iterable[web.RouteDef]) -> HttpListener:
    """Raises UsageError for an address that others could reach."""
    if not _is_loopback_host(address.host):
        raise UsageError(f"--listen {address}: is plaintext and so only for loopback; others use --tls-listen")
    return HttpListener("--listen", address, _application(routes, refuse_browsers))


def tls_listener(address: Address, routes: Iterable[web.RouteDef], context: ssl.SSLContext) -> HttpListener:
    return HttpListener("--tls-listen", address, _application(routes, require_certificate), context)


def monitoring_listener(address: Address, routes: Iterable[web.RouteDef]) -> HttpListener:
    return HttpListener("--monitoring", address, _application(routes, keep_debug_local))


@web.middleware
async def require_certificate(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.path not in _OPEN_PATHS:
        require_identity(request)
    return await handler(request)


@web.middleware
async def refuse_browsers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A web page that a user of this machine looks at must neither write to the mesh nor read its Secrets.

    Browsers name the page's origin. A page whose own name was made to point here is of the same origin, but then that
    name stands in Host.
    """
    _require_local_name(request)
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise web.HTTPForbidden(text=f"pages of {origin} may not call the control plane")
    return await handler(request)


@web.middleware
async def keep_debug_local(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.path.startswith("/debug") and not is_loopback(request):
        raise web.HTTPForbidden(text="/debug is for callers on the control plane's machine")
    if request.path.startswith("/debug"):
        _require_local_name(request)
    return await handler(request)


def _require_local_name(request: web.Request) -> None:
    """An address, localhost, or a name without a dot, as a real Envoy sends that of its cluster: nobody outside has
    one of those in DNS."""
    name = (urlsplit(f"//{request.host}").hostname or "").removesuffix(".")
    if "." in name and not name.endswith(".localhost") and not is_ip_address(name):
        raise web.HTTPForbidden(text=f"{name} is not a name of this machine's loopback interface")


def _application(routes: Iterable[web.RouteDef], middleware: Middleware) -> web.Application:
    app = web.Application(middlewares=[middleware], client_max_size=MOST_BODY_BYTES)
    app.add_routes(routes)
    return app


def _is_loopback_host(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _reason(error: OSError) -> str:
    """asyncio words the errors of bind() at length; the user gave the address and needs the reason. A host name that
    is not found (gaierror) has a number that is no errno."""
    is_errno = error.errno in errno.errorcode and not isinstance(error, socket.gaierror)
    return os.strerror(error.errno).lower() if is_errno and error.errno else str(error.strerror or error)
