from pymesh.control.translate.gateway_servers import bound_port, merged_servers
from pymesh.xds import NodeMetadata

GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: %s, creationTimestamp: "%s"}
spec:
  servers: [{port: {number: %s, name: http, protocol: HTTP}, hosts: ["*"]}]
---
"""


def test_port_map_beats_the_unprivileged_offset():
    node = NodeMetadata(port_map={80: 9080}, unprivileged=True)
    assert [bound_port(node, port, port) for port in (80, 443, 1024)] == [9080, 8443, 1024]


def test_privileged_proxy_binds_the_port_itself():
    assert bound_port(NodeMetadata(), 80, 80) == 80


def test_port_of_the_workload_is_bound_unless_the_map_names_that_or_the_gateways():
    assert bound_port(NodeMetadata(unprivileged=True), 80, 8080) == 8080
    assert bound_port(NodeMetadata(port_map={80: 9080}), 80, 8080) == 9080
    assert bound_port(NodeMetadata(port_map={8080: 9080}), 80, 8080) == 9080


def test_gateway_without_selector_is_for_all(view_of):
    (port,) = merged_servers(view_of(GATEWAY % ("a", "2026-01-01T00:00:00.0Z", 80), router=True))
    assert port.listener_name == "0.0.0.0_80"


def test_ports_that_are_one_on_this_machine_go_to_the_older_gateway(view_of):
    two = GATEWAY % ("new", "2026-01-02T00:00:00.0Z", 8080) + GATEWAY % ("old", "2026-01-01T00:00:00.0Z", 80)
    (port,) = merged_servers(view_of(two, router=True, unprivileged=True))
    assert (port.listener_name, port.servers[0].name) == ("0.0.0.0_8080", "old")


def test_port_zero_keeps_listeners_apart_by_the_gateways_port(view_of):
    two = GATEWAY % ("a", "2026-01-01T00:00:00.0Z", 80) + GATEWAY % ("b", "2026-01-01T00:00:00.0Z", 81)
    ports = merged_servers(view_of(two, router=True, port_map={80: 0, 81: 0}))
    assert [port.listener_name for port in ports] == ["0.0.0.0_0_80", "0.0.0.0_0_81"]
    assert [port.address.port for port in ports] == [0, 0]
