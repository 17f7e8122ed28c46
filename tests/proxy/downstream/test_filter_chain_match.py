from ipaddress import ip_network

import pytest

from pymesh.proxy.downstream.filter_chain_match import (
    TLS,
    ConnectionTraits,
    DuplicateMatchError,
    FilterChainMatch,
    FilterChainTable,
)

PERMISSIVE = FilterChainTable(
    [
        (FilterChainMatch(transport_protocol="tls", application_protocols=("istio-peer-exchange", "istio")), "mtls"),
        (FilterChainMatch(transport_protocol="raw_buffer"), "plaintext"),
        (FilterChainMatch(transport_protocol="tls"), "foreign"),
    ]
)
SNI = FilterChainTable(
    [
        (FilterChainMatch(server_names=("www.a.com", "B.com")), "exact"),
        (FilterChainMatch(server_names=("*.a.com",)), "a.com"),
        (FilterChainMatch(server_names=("*.com",)), "com"),
        (FilterChainMatch(destination_port=9443, server_names=("www.a.com",)), "port"),
    ]
)


def tls(server_name="", protocols=(), port=443):
    return ConnectionTraits(port, server_name, TLS, tuple(protocols))


@pytest.mark.parametrize(
    ("traits", "expected"),
    [
        (tls(protocols=("istio",)), "mtls"),
        (tls(protocols=("h2", "istio")), "mtls"),
        (tls("any.name", ("istio-peer-exchange",)), "mtls"),
        (tls(protocols=("h2", "http/1.1")), "foreign"),
        (tls(), "foreign"),
        (ConnectionTraits(15006), "plaintext"),
    ],
)
def test_a_permissive_listener_tells_three_kinds_apart(traits, expected):
    assert PERMISSIVE.find(traits) == expected


@pytest.mark.parametrize(
    ("traits", "expected"),
    [
        (tls("www.a.com"), "exact"),
        (tls("b.com"), "exact"),
        (tls("x.a.com"), "a.com"),
        (tls("y.x.a.com"), "a.com"),
        (tls("a.com"), "com"),
        (tls("c.org"), None),
        (tls(), None),
        (tls("www.a.com", port=9443), "port"),
        # The port is decided first, and Envoy never steps back.
        (tls("x.a.com", port=9443), None),
    ],
)
def test_the_most_specific_server_name_wins(traits, expected):
    assert SNI.find(traits) == expected


def test_what_matches_nothing_gets_the_default_chain():
    assert FilterChainTable([(FilterChainMatch(server_names=("a",)), "a")], "default").find(tls("b")) == "default"


def test_there_is_no_step_back_from_a_server_name():
    table = FilterChainTable(
        [(FilterChainMatch(server_names=("a",), application_protocols=("h2",)), "h2"), (FilterChainMatch(), "any")]
    )
    assert table.find(tls("a", ("h2",))) == "h2"
    assert table.find(tls("a", ("http/1.1",))) is None
    assert table.find(tls("b")) == "any"


def test_two_chains_for_the_same_connections_are_refused():
    with pytest.raises(DuplicateMatchError):
        FilterChainTable(
            [(FilterChainMatch(server_names=("a", "b")), 1), (FilterChainMatch(server_names=("c", "A")), 2)]
        )


CAPTURED = FilterChainTable(
    [
        (FilterChainMatch(prefix_ranges=(ip_network("10.0.0.0/8"),)), "wide"),
        (FilterChainMatch(prefix_ranges=(ip_network("10.1.0.0/16"), ip_network("fd00::/8"))), "narrow"),
        (FilterChainMatch(server_names=("www.a.com",)), "name"),
        (FilterChainMatch(destination_port=15001), "port"),
    ],
    "default",
)


@pytest.mark.parametrize(
    ("address", "expected"),
    [("10.1.2.3", "narrow"), ("10.2.2.3", "wide"), ("fd00::1", "narrow"), ("192.0.2.1", "name")],
)
def test_the_longest_range_that_has_the_destination_decides_before_the_server_name(address, expected):
    assert CAPTURED.find(ConnectionTraits(443, "www.a.com", TLS, (), address)) == expected


def test_a_port_of_its_own_decides_before_the_destination():
    assert CAPTURED.find(ConnectionTraits(15001, destination_address="10.1.2.3")) == "port"


def test_what_no_chain_takes_is_the_default_chains():
    assert CAPTURED.find(ConnectionTraits(80, destination_address="192.0.2.1")) == "default"


def test_two_chains_of_one_range_are_refused():
    match = FilterChainMatch(prefix_ranges=(ip_network("10.0.0.0/8"),))
    with pytest.raises(DuplicateMatchError):
        FilterChainTable([(match, "a"), (match, "b")])
