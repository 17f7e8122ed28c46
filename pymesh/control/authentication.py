"""Who calls: the mesh identity of a TLS connection, and whether it may act for a workload.

The plaintext listener is bound to loopback, and who can reach it may do everything; on TLS a caller is its certificate.
"""

import ssl
import time
from ipaddress import ip_address

from aiohttp import web

from pymesh.errors import PymeshError
from pymesh.spiffe import SpiffeId, parse_spiffe


class AuthenticationError(PymeshError):
    """The caller has not shown who it is."""


def is_authenticated_listener(request: web.Request) -> bool:
    """True on TLS, where a caller is only what it proves to be."""
    return request.transport is not None and request.transport.get_extra_info("ssl_object") is not None


def caller_identity(request: web.Request) -> SpiffeId | None:
    """The SPIFFE ID of the client certificate, which the handshake has verified; None without one.

    Raises AuthenticationError where the certificate has ended since: a connection may live longer than it.
    """
    certificate = request.transport.get_extra_info("peercert") if request.transport is not None else None
    if not certificate:
        return None
    if ssl.cert_time_to_seconds(certificate["notAfter"]) <= time.time():
        raise AuthenticationError("the client certificate has expired")
    return _spiffe_of(certificate)


def is_loopback(request: web.Request) -> bool:
    """The caller is on this machine."""
    peer = request.transport.get_extra_info("peername") if request.transport is not None else None
    return peer is not None and ip_address(str(peer[0]).partition("%")[0]).is_loopback


def authorize_workload(request: web.Request, namespace: str, service_account: str) -> None:
    """The caller must be the workload for which it speaks. Raises HTTPUnauthorized and HTTPForbidden."""
    if not is_authenticated_listener(request):
        return
    identity = require_identity(request)
    if (identity.namespace, identity.service_account) != (namespace, service_account):
        raise web.HTTPForbidden(
            text=f"{identity} may not act for service account {service_account} of namespace {namespace}"
        )


def require_namespace(request: web.Request, namespace: str) -> str:
    """The service account of a caller that must be of this namespace. Raises HTTPUnauthorized and HTTPForbidden."""
    identity = require_identity(request)
    if identity.namespace != namespace:
        raise web.HTTPForbidden(text=f"{identity} may not act in namespace {namespace}")
    return identity.service_account


def require_identity(request: web.Request) -> SpiffeId:
    """Raises HTTPUnauthorized without a valid certificate of the mesh."""
    try:
        identity = caller_identity(request)
    except AuthenticationError as error:
        raise web.HTTPUnauthorized(text=str(error)) from error
    if identity is None:
        raise web.HTTPUnauthorized(text="a client certificate of the mesh is required")
    return identity


def _spiffe_of(certificate: dict[str, tuple[tuple[str, str], ...]]) -> SpiffeId | None:
    uris = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "URI"]
    if len(uris) != 1:  # The SPIFFE specification: an X.509 SVID has exactly one.
        return None
    try:
        return parse_spiffe(uris[0])
    except ValueError:
        return None
