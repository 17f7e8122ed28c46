"""Traffic to what nobody declared: on to where it was going, or nowhere; and the listener that captured traffic enters.

Istio: listener_builder.go in pilot/pkg/networking/core.
"""

from typing import Any

from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.config_source import socket_address
from pymesh.control.translate.listener_telemetry import listener_telemetry
from pymesh.control.translate.tcp_proxy import build_tcp_proxy
from pymesh.names import BLACK_HOLE_CLUSTER, PASSTHROUGH_CLUSTER, VIRTUAL_OUTBOUND, outbound_cluster, resolve_host
from pymesh.xds import LISTENER, Address, Resource

PASSTHROUGH_CHAIN = "PassthroughFilterChain"


def egress_cluster(view: ProxyView) -> str:
    """The cluster of traffic to unknown hosts; only `outboundTrafficPolicy` decides."""
    policy = view.outbound_traffic_policy
    if policy.mode != "ALLOW_ANY":
        return BLACK_HOLE_CLUSTER
    proxy = policy.egress_proxy
    if proxy is None:
        return PASSTHROUGH_CLUSTER
    port = proxy.port.number if proxy.port is not None else 0
    return outbound_cluster(resolve_host(proxy.host, view.namespace).lower(), port, proxy.subset)


def build_passthrough_chain(view: ProxyView, name: str) -> dict[str, Any]:
    cluster = egress_cluster(view)
    telemetry = listener_telemetry(view, "CLIENT")
    return {"name": name, "filters": [build_tcp_proxy(telemetry, cluster, {"cluster": cluster})]}


def build_virtual_outbound(view: ProxyView, address: Address) -> Resource:
    """Where the kernel sends what the application sends. A connection to the port itself would come back for ever."""
    telemetry = listener_telemetry(view, "CLIENT")
    black_hole = {
        "name": f"{VIRTUAL_OUTBOUND}-blackhole",
        "filter_chain_match": {"destination_port": address.port},
        "filters": [build_tcp_proxy(telemetry, BLACK_HOLE_CLUSTER, {"cluster": BLACK_HOLE_CLUSTER})],
    }
    return {
        "@type": LISTENER,
        "name": VIRTUAL_OUTBOUND,
        "address": socket_address(address.host, address.port),
        "traffic_direction": "OUTBOUND",
        "use_original_dst": True,
        "filter_chains": [black_hole, build_passthrough_chain(view, f"{VIRTUAL_OUTBOUND}-catchall-tcp")],
    }
