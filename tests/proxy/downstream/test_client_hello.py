import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pymesh.proxy.downstream.client_hello import (
    INCOMPLETE,
    MAX_CLIENT_HELLO,
    NOT_TLS,
    ClientHello,
    NotClientHello,
    parse_client_hello,
)


def client_hello(server_name=None, protocols=()):
    """What OpenSSL says first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = context.wrap_bio(incoming, outgoing, server_hostname=server_name)
    with pytest.raises(ssl.SSLWantReadError):
        connection.do_handshake()
    return outgoing.read()


def split_into_records(hello, size):
    """The same handshake message in many records."""
    payload = hello[5:]
    pieces = [payload[i : i + size] for i in range(0, len(payload), size)]
    return b"".join(b"\x16\x03\x01" + len(piece).to_bytes(2, "big") + piece for piece in pieces)


HELLO = client_hello("Shop.Example", ("istio-peer-exchange", "istio"))
FOUND = ClientHello("shop.example", ("istio-peer-exchange", "istio"))


def test_sni_and_alpn_are_found():
    assert parse_client_hello(HELLO) == FOUND


def test_a_client_may_send_neither():
    assert parse_client_hello(client_hello()) == ClientHello("", ())


def test_what_follows_the_client_hello_is_not_looked_at():
    assert parse_client_hello(HELLO + b"\xff" * 100) == FOUND


@pytest.mark.parametrize("size", [1, 7, 200])
def test_a_client_hello_may_be_spread_over_records(size):
    assert parse_client_hello(split_into_records(HELLO, size)) == FOUND


@pytest.mark.parametrize("records", [HELLO, split_into_records(HELLO, 50)])
def test_every_beginning_of_a_client_hello_is_incomplete(records):
    assert {parse_client_hello(records[:i]) for i in range(len(records))} == {INCOMPLETE}


@pytest.mark.parametrize(
    "data",
    [
        b"G",
        b"GET / HTTP/1.1\r\n",
        b"\x16\x02",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\xff\xff",
        b"\x16\x03\x01\x00\x05\x02",
        b"\x16\x03\x01\x40\x00\x01\x00\x7f\xff",
        b"\x80\x2e\x01\x00\x02",
        HELLO[:5] + HELLO[5:43] + b"\xff" + HELLO[44:],
    ],
)
def test_what_cannot_be_a_client_hello_is_not_tls(data):
    assert parse_client_hello(data) is NOT_TLS


def test_a_client_hello_is_bounded():
    endless = b"\x16\x03\x01\x40\x00\x01" + (MAX_CLIENT_HELLO + 1).to_bytes(3, "big")
    assert parse_client_hello(endless) is NOT_TLS


@given(st.binary(max_size=300))
def test_no_bytes_make_the_parser_fail(data):
    assert isinstance(parse_client_hello(data), ClientHello | NotClientHello)


@given(st.integers(0, len(HELLO) - 1), st.integers(0, 255), st.integers(0, 60))
def test_no_damage_makes_the_parser_fail(position, byte, cut):
    damaged = HELLO[:position] + bytes([byte]) + HELLO[position + 1 + cut :]
    assert isinstance(parse_client_hello(damaged), ClientHello | NotClientHello)
