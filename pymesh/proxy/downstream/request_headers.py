"""What happens to a request's fields before its route is looked up: hop-by-hop fields go, what only a trusted hop may
say goes at the edge, what every hop says comes. Envoy: ConnectionManagerUtility::mutateRequestHeaders.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers
"""

import ipaddress
from functools import lru_cache

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.message import RequestHead
from pymesh.proxy.downstream.hcm_config import HttpConnectionManagerConfig
from pymesh.proxy.downstream.request_id import new_request_id
from pymesh.proxy.http_filters.envoy_headers import INTERNAL, OBEYED
from pymesh.proxy.http_filters.upstream_request import EXPECTED_TIMEOUT

CONNECTION = b"connection"
XFF = b"x-forwarded-for"
XFP = b"x-forwarded-proto"
REQUEST_ID = b"x-request-id"
EXTERNAL_ADDRESS = b"x-envoy-external-address"

# RFC 9110 7.6.1. Transfer-Encoding comes back with the framing of the next hop.
HOP_BY_HOP = (b"keep-alive", b"proxy-connection", b"transfer-encoding", b"http2-settings")

# What an Envoy believes only of an internal request, and then obeys.
_INTERNAL_ONLY = (
    INTERNAL,
    *OBEYED,
    EXPECTED_TIMEOUT,
    b"x-envoy-force-trace",
    b"x-envoy-ip-tags",
    b"x-envoy-original-url",
)
_EDGE_ONLY = (
    b"x-envoy-decorator-operation",
    b"x-envoy-downstream-service-cluster",
    b"x-envoy-downstream-service-node",
    b"x-envoy-original-host",
    b"x-envoy-original-path",
)
# One look tells whether anything of all that is there at all.
_SPECIAL = frozenset((CONNECTION, b"te", b"upgrade", b"expect", *HOP_BY_HOP, *_INTERNAL_ONLY, *_EDGE_ONLY))
PLAIN_OPTIONS = (b"keep-alive", b"close")
# Who names these in Connection wants a proxy to forget who asked for what (Envoy: sanitizeConnectionHeader).
_PROTECTED = frozenset((b"host", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"))
_NOTHING_SPECIAL = _SPECIAL.isdisjoint


class RequestHeaderPolicy:
    """Compiled from the configuration."""

    __slots__ = ("_appends_xff", "_generates_id", "_hops", "_keeps_expect", "_keeps_id", "_removed", "is_edge")

    def __init__(self, config: HttpConnectionManagerConfig) -> None:
        self.is_edge = config.use_remote_address
        self._hops = config.xff_num_trusted_hops
        self._appends_xff = config.use_remote_address and not config.skip_xff_append
        self._keeps_expect = config.proxy_100_continue
        self._generates_id = config.generate_request_id
        self._keeps_id = not self.is_edge or config.preserve_external_request_id
        self._removed = frozenset((*HOP_BY_HOP, *_INTERNAL_ONLY, *(_EDGE_ONLY if self.is_edge else ())))

    def apply(self, head: RequestHead, remote_ip: bytes, scheme: bytes) -> bool:
        """`scheme` is https on a TLS connection, else http. False: refuse the request."""
        headers = head.headers
        if CONNECTION in headers and headers[CONNECTION] in PLAIN_OPTIONS and not headers.repeated:
            del headers[CONNECTION]  # what most clients say
        if not _NOTHING_SPECIAL(headers) and not self._remove(head, headers, self._removed):
            return False
        if self.is_edge:
            self._set_edge(headers, remote_ip, scheme)
        elif XFP not in headers:
            headers[XFP] = scheme
        if self._generates_id:
            if REQUEST_ID not in headers:
                headers[REQUEST_ID] = new_request_id()
            elif not self._keeps_id:
                headers.set(REQUEST_ID, new_request_id())
        return True

    def client_address(self, headers: HeaderMap) -> str | None:
        """`ip:0` of the client, where trusted hops vouch for it in x-forwarded-for; ask before `apply`."""
        hops = self._hops - 1 if self.is_edge else self._hops
        value = headers.get_joined(XFF)
        return None if value is None or hops < 0 else _address_at(value, hops)

    def _set_edge(self, headers: HeaderMap, remote_ip: bytes, scheme: bytes) -> None:
        trusted = self.client_address(headers) if self._hops else None
        if self._appends_xff:
            headers.append(XFF, remote_ip)
        if self._hops == 0 or XFP not in headers:
            headers.set(XFP, scheme)
        headers.set(EXTERNAL_ADDRESS, trusted.rpartition(":")[0].strip("[]").encode() if trusted else remote_ip)

    def _remove(self, head: RequestHead, headers: HeaderMap, names: frozenset[bytes]) -> bool:
        nominated = headers.get_joined(CONNECTION)
        if nominated is not None:
            if nominated not in PLAIN_OPTIONS and not _PROTECTED.isdisjoint(headers.get_members(CONNECTION)):
                return False
            remove_connection_options(headers, nominated)
        for name in names.intersection(headers):
            headers.remove(name)
        if b"te" in headers:
            _keep_trailers_only(headers)
        if b"expect" in headers and not self._keeps_expect and headers[b"expect"].lower() == b"100-continue":
            headers.remove(b"expect")
        if head.upgrade and head.upgrade != b"connect":
            headers.set(CONNECTION, b"Upgrade")
        elif b"upgrade" in headers:
            headers.remove(b"upgrade")
        return True


def remove_connection_options(headers: HeaderMap, nominated: bytes) -> None:
    """RFC 9110 7.6.1: Connection goes, and the fields that it names. Not `host`, nor what frames the message."""
    if nominated not in PLAIN_OPTIONS:
        for name in headers.get_members(CONNECTION):
            if name not in (b"close", b"keep-alive", b"upgrade", b"te", b"host", b"content-length"):
                headers.remove(name)
    headers.remove(CONNECTION)


def _keep_trailers_only(headers: HeaderMap) -> None:
    if b"trailers" in headers.get_members(b"te"):
        headers.set(b"te", b"trailers")
    else:
        headers.remove(b"te")


@lru_cache(maxsize=1024)  # the same clients come again, and ip_address costs as much as the rest of a head
def _address_at(value: bytes, hops: int) -> str | None:
    """The address in x-forwarded-for that `hops` further ones follow."""
    addresses = value.split(b",")
    if len(addresses) <= hops:
        return None
    try:
        address = ipaddress.ip_address(addresses[-1 - hops].strip().decode("ascii", "replace"))
    except ValueError:
        return None
    return f"[{address}]:0" if address.version == 6 else f"{address}:0"
