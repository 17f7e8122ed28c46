import pytest

from pymesh.control.model.destination_rule import ConnectionPoolSettings, HTTPSettings
from pymesh.control.snapshot.protocol import Protocol
from pymesh.control.translate.upstream_protocol import UpstreamProtocol, inbound_protocol, outbound_protocol

HTTP1, HTTP2, DOWNSTREAM = UpstreamProtocol


@pytest.mark.parametrize(
    ("port", "http", "mesh", "expected"),
    [
        (Protocol.HTTP, {}, "DO_NOT_UPGRADE", HTTP1),
        (Protocol.HTTP2, {}, "DO_NOT_UPGRADE", HTTP2),
        (Protocol.GRPC, {"h2_upgrade_policy": "DO_NOT_UPGRADE"}, "DO_NOT_UPGRADE", HTTP2),
        (Protocol.GRPC_WEB, {}, "DO_NOT_UPGRADE", HTTP2),
        (Protocol.TCP, {}, "UPGRADE", HTTP1),
        (Protocol.AUTO, {}, "DO_NOT_UPGRADE", DOWNSTREAM),
        (Protocol.AUTO, {}, "UPGRADE", DOWNSTREAM),
        (Protocol.AUTO, {"h2_upgrade_policy": "UPGRADE"}, "DO_NOT_UPGRADE", HTTP2),
        (Protocol.HTTP, {}, "UPGRADE", HTTP2),
        (Protocol.HTTP, {"h2_upgrade_policy": "DO_NOT_UPGRADE"}, "UPGRADE", HTTP1),
        (Protocol.HTTP, {"h2_upgrade_policy": "UPGRADE"}, "DO_NOT_UPGRADE", HTTP2),
        (Protocol.HTTP, {"use_client_protocol": True}, "DO_NOT_UPGRADE", DOWNSTREAM),
        (Protocol.GRPC, {"use_client_protocol": True}, "DO_NOT_UPGRADE", DOWNSTREAM),
    ],
)
def test_the_port_the_rule_and_the_mesh_say_which_http_a_service_is_spoken_to_with(port, http, mesh, expected):
    assert outbound_protocol(port, ConnectionPoolSettings(http=HTTPSettings(**http)), mesh, detects=True) is expected


def test_a_gateway_does_not_guess():
    assert outbound_protocol(Protocol.AUTO, None, "DO_NOT_UPGRADE", detects=False) is HTTP1


def test_an_application_is_not_upgraded():
    upgraded = ConnectionPoolSettings(http=HTTPSettings(h2_upgrade_policy="UPGRADE"))
    assert inbound_protocol(Protocol.HTTP, upgraded) is HTTP1
    assert inbound_protocol(Protocol.GRPC, None) is HTTP2
    assert inbound_protocol(Protocol.AUTO, None) is DOWNSTREAM
