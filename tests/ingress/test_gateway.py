from pathlib import Path

import pytest

from pymesh.ingress.gateway import build_node, gateway_port
from pymesh.ingress.options import GatewayOptions
from pymesh.proxy.options import ProxyOptions
from pymesh.state_dir import StateDir
from pymesh.xds import ROUTER, Address, NodeMetadata

OPTIONS = GatewayOptions(proxy=ProxyOptions(StateDir(Path("/nowhere")), Address("127.0.0.1", 0)))


@pytest.mark.parametrize(
    ("node", "bound", "expected"),
    [
        (NodeMetadata(unprivileged=True), 8080, 80),
        (NodeMetadata(unprivileged=True), 8443, 443),
        (NodeMetadata(unprivileged=False), 8080, 8080),
        (NodeMetadata(unprivileged=True), 15443, 15443),
        (NodeMetadata(port_map={80: 40123}), 40123, 80),
    ],
)
def test_a_bound_port_is_told_with_the_gateways_port(node: NodeMetadata, bound: int, expected: int) -> None:
    assert gateway_port(node, bound) == expected


def test_a_gateway_is_a_router_with_the_labels_that_istios_samples_select() -> None:
    node = build_node(OPTIONS, "istio-ingressgateway-abcde", {})
    assert node.type == ROUTER
    assert node.metadata.labels["istio"] == "ingressgateway"
    assert node.metadata.service_account == "ingressgateway-service-account"
    assert node.metadata.has_certificate
