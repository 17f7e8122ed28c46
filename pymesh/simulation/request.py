"""The request of a call as matchers, routes and formatters of the proxy see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.tls.peer_identity import PeerIdentity
from pymesh.simulation.call import Call

CLIENT = "192.0.2.1:40000"


@dataclass(slots=True)
class SimulatedRequest:
    """matchers.compiled.Request, rbac_engine's Call and routing.formatter.FormatContext at once. What nobody can know
    before the answer (its status, its headers) is empty."""

    authority: bytes
    path: bytes
    method: bytes
    scheme: bytes
    headers: HeaderMap
    is_tls: bool
    remote_address: str = CLIENT
    local_address: str = "127.0.0.1:15001"
    downstream_principal: str = ""
    requested_server_name: str = ""
    protocol: bytes = b"HTTP/1.1"
    route_name: str = ""
    upstream_cluster: str = ""
    response_code: int = 0
    response_code_details: str = ""
    response_headers: HeaderMap = field(default_factory=HeaderMap)
    peer: PeerIdentity | None = None
    dynamic_metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def request_headers(self) -> HeaderMap:
        return self.headers

    @property
    def downstream_remote_address(self) -> str:
        return self.remote_address

    @property
    def direct_remote_address(self) -> str:
        return self.remote_address

    @property
    def downstream_local_address(self) -> str:
        return self.local_address


def build_request(call: Call, address: str, has_peer: bool = False) -> SimulatedRequest:
    """`address` is where the connection went. `has_peer`: the client has shown its certificate."""
    headers = call.header_map()
    headers.set(b"host", call.authority.encode())
    return SimulatedRequest(
        authority=call.authority.encode(),
        path=call.target.encode(),
        method=call.method.encode(),
        scheme=b"https" if call.is_tls else b"http",
        headers=headers,
        is_tls=call.is_tls,
        local_address=f"{address}:{call.port}",
        downstream_principal=call.principal,
        requested_server_name=call.sni,
        peer=PeerIdentity((call.principal,), (), "", "") if has_peer else None,
    )


def build_connection(call: Call, address: str, has_peer: bool) -> SimulatedRequest:
    """What is there of a call where nobody sees a request: neither method nor path nor headers."""
    request = build_request(call, address, has_peer)
    return replace(request, method=b"", path=b"", authority=b"", headers=HeaderMap())
