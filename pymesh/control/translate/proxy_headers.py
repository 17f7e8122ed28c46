"""What MeshConfig says of paths and of the headers that proxies add, as HTTP connection managers have it.

Istio: GetProxyHeaders in pilot/pkg/networking/util, buildGatewayConnectionManager in its core/gateway.go.
"""

from typing import Any

from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.model.proxy_settings import ProxyHeaders, SetCurrentClientCertDetails, Topology

SERVER_NAME = "istio-envoy"

Options = dict[str, Any]
_SETS_CERTIFICATE = ("APPEND_FORWARD", "SANITIZE_SET")

_NO_NORMALIZATION: Options = {"normalize_path": False}
_BASE: Options = {"normalize_path": True}
_MERGE_SLASHES: Options = {**_BASE, "merge_slashes": True}
_NORMALIZATIONS = {
    "NONE": _NO_NORMALIZATION,
    "DEFAULT": _BASE,
    "BASE": _BASE,
    "MERGE_SLASHES": _MERGE_SLASHES,
    "DECODE_AND_MERGE_SLASHES": {**_MERGE_SLASHES, "path_with_escaped_slashes_action": "UNESCAPE_AND_FORWARD"},
}


def path_normalization(mesh: MeshConfig) -> Options:
    """Fields of a connection manager."""
    told = mesh.path_normalization
    return _NORMALIZATIONS[told.normalization if told is not None else "DEFAULT"]


def request_id(mesh: MeshConfig) -> Options:
    """Fields of a connection manager."""
    told = _headers(mesh).request_id
    return {"generate_request_id": False} if told is not None and told.disabled else {}


def attempt_count(mesh: MeshConfig) -> Options:
    """Fields of a virtual host: X-Envoy-Attempt-Count."""
    told = _headers(mesh).attempt_count
    return {} if told is not None and told.disabled else {"include_request_attempt_count": True}


def hides_debug_headers(mesh: MeshConfig) -> bool:
    """Whether the router adds no x-envoy-* headers."""
    told = _headers(mesh).envoy_debug_headers
    return told is not None and bool(told.disabled)


def server_header(mesh: MeshConfig) -> Options:
    """Fields of a connection manager before which the client does not stand in its own process's sidecar."""
    told = _headers(mesh).server
    if told is not None and told.disabled:
        return {"server_header_transformation": "PASS_THROUGH"}
    return {"server_name": (told.value if told is not None else "") or SERVER_NAME}


def inbound_client_certificate(mesh: MeshConfig) -> Options:
    """Fields of a sidecar's connection manager: what the application learns of a peer's certificate."""
    headers = _headers(mesh)
    details = headers.set_current_client_cert_details or SetCurrentClientCertDetails()
    mode = headers.forwarded_client_cert
    return {
        "forward_client_cert_details": "APPEND_FORWARD" if mode == "UNDEFINED" else mode,
        "set_current_client_cert_details": {
            name: True
            for name, is_told in (
                ("subject", details.subject is not False),
                ("cert", bool(details.cert)),
                ("dns", details.dns is not False),
                ("uri", details.uri is not False),
            )
            if is_told
        },
    }


def edge_client(mesh: MeshConfig, verifies_clients: bool) -> Options:
    """Fields of a gateway's connection manager: whom it believes what of its clients."""
    topology = mesh.default_config.gateway_topology or Topology()
    mode = topology.forward_client_cert_details
    options: Options = {"forward_client_cert_details": "SANITIZE_SET" if mode == "UNDEFINED" else mode}
    if verifies_clients and options["forward_client_cert_details"] in _SETS_CERTIFICATE:
        options["set_current_client_cert_details"] = {"subject": True, "cert": True, "dns": True, "uri": True}
    if topology.num_trusted_proxies:
        options["xff_num_trusted_hops"] = topology.num_trusted_proxies
    return options


def _headers(mesh: MeshConfig) -> ProxyHeaders:
    return mesh.default_config.proxy_headers or ProxyHeaders()
