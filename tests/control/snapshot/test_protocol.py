import pytest

from pymesh.control.snapshot.protocol import Protocol, parse_protocol, port_protocol

NOBODY: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("http", Protocol.HTTP),
        ("http-web", Protocol.HTTP),
        ("HTTP2-web", Protocol.HTTP2),
        ("grpc", Protocol.GRPC),
        ("grpc-web", Protocol.GRPC_WEB),
        ("grpc-web-1", Protocol.GRPC_WEB),
        ("tcp-raw", Protocol.TCP),
        ("mongo", Protocol.MONGO),
        ("web", Protocol.AUTO),
        ("", Protocol.AUTO),
        ("httpish", Protocol.AUTO),
    ],
)
def test_port_name_prefix_says_the_protocol(name, expected):
    assert port_protocol(8080, name, "", NOBODY) is expected


def test_app_protocol_beats_the_port_name():
    assert port_protocol(80, "http", "tcp", NOBODY) is Protocol.TCP
    assert port_protocol(80, "tcp", "kubernetes.io/h2c", NOBODY) is Protocol.HTTP2


def test_undeclared_port_is_what_the_registered_workloads_say():
    assert port_protocol(8080, "", "", frozenset({"http"})) is Protocol.HTTP
    assert port_protocol(8080, "", "", frozenset({"tcp"})) is Protocol.TCP
    assert port_protocol(8080, "", "", frozenset({"tcp", "http"})) is Protocol.AUTO


def test_undeclared_port_of_a_server_that_speaks_first_is_tcp():
    assert port_protocol(3306, "", "", NOBODY) is Protocol.TCP


def test_declared_protocol_that_is_none_leaves_the_port_name():
    assert port_protocol(80, "http", "acme.example/soap", NOBODY) is Protocol.HTTP


def test_auto_is_http_for_whoever_sends_http():
    assert Protocol.AUTO.is_http
    assert not Protocol.TLS.is_http


def test_unknown_protocol_is_none():
    assert parse_protocol("carrier-pigeon") is None
