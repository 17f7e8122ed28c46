"""Internal requests: those that come straight from an address which the configuration calls internal. Such a client may
tell the router by x-envoy-* headers what to do. Envoy: ConnectionManagerUtility::mutateRequestHeaders.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#x-envoy-internal
"""

import ipaddress

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.message import RequestHead
from pymesh.proxy.downstream.hcm_config import HttpConnectionManagerConfig
from pymesh.proxy.downstream.request_headers import (
    HOP_BY_HOP,
    REQUEST_ID,
    XFF,
    XFP,
    RequestHeaderPolicy,
)
from pymesh.proxy.downstream.request_id import new_request_id
from pymesh.proxy.http_filters.envoy_headers import INTERNAL

_REMOVED = frozenset((*HOP_BY_HOP, INTERNAL))


class InternalRequestHeaderPolicy(RequestHeaderPolicy):
    """Where internal addresses are configured; else no request is internal and RequestHeaderPolicy is all."""

    __slots__ = ("_networks",)

    def __init__(self, config: HttpConnectionManagerConfig) -> None:
        super().__init__(config)
        self._networks = tuple(ipaddress.ip_network(network) for network in config.internal_networks)

    def apply(self, head: RequestHead, remote_ip: bytes, scheme: bytes) -> bool:
        if self._is_internal(head.headers, remote_ip):
            return self._apply_internal(head, remote_ip, scheme)
        return super().apply(head, remote_ip, scheme)

    def _is_internal(self, headers: HeaderMap, remote_ip: bytes) -> bool:
        """At an edge: no hop before the client. Behind one: exactly the one address that the edge has written."""
        value = headers.get_joined(XFF)
        if self.is_edge:
            return value is None and self._has(remote_ip)
        return value is not None and self._hops == 0 and b"," not in value and self._has(value)

    def _has(self, address: bytes) -> bool:
        try:
            ip = ipaddress.ip_address(address.strip().decode("ascii", "replace"))
        except ValueError:
            return False
        return any(ip in network for network in self._networks)

    def _apply_internal(self, head: RequestHead, remote_ip: bytes, scheme: bytes) -> bool:
        headers = head.headers
        if not self._remove(head, headers, _REMOVED):
            return False
        if self._appends_xff:
            headers[XFF] = remote_ip
        if self.is_edge or XFP not in headers:
            headers.set(XFP, scheme)
        headers[INTERNAL] = b"true"
        if self._generates_id and REQUEST_ID not in headers:
            headers[REQUEST_ID] = new_request_id()
        return True
