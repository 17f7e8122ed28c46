from ipaddress import ip_network

import pytest

from pymesh.errors import DecodeError
from pymesh.protojson import Reader
from pymesh.proxy.downstream.filter_chain_match import FilterChainMatch
from pymesh.proxy.downstream.listener_config import FilterChainConfig, ListenerConfig
from pymesh.proxy.downstream.tcp_proxy_config import TcpProxyConfig
from pymesh.proxy.tls.config import DownstreamTlsConfig
from pymesh.proxy.xds.lds import decode_listener
from pymesh.xds import Address

EXTENSIONS = "type.googleapis.com/envoy.extensions."
TCP_PROXY = EXTENSIONS + "filters.network.tcp_proxy.v3.TcpProxy"
TLS_INSPECTOR = EXTENSIONS + "filters.listener.tls_inspector.v3.TlsInspector"
DOWNSTREAM_TLS = EXTENSIONS + "transport_sockets.tls.v3.DownstreamTlsContext"
HTTP_INSPECTOR = EXTENSIONS + "filters.listener.http_inspector.v3.HttpInspector"
HTTP_INSPECTION = {"name": "envoy.filters.listener.http_inspector", "typed_config": {"@type": HTTP_INSPECTOR}}
INSPECTION = {"name": "envoy.filters.listener.tls_inspector", "typed_config": {"@type": TLS_INSPECTOR}}
MESH = ["istio-peer-exchange", "istio"]
SDS = {"name": "default", "sds_config": {"ads": {}}}


def tcp(cluster="a"):
    return {"name": "envoy.filters.network.tcp_proxy", "typed_config": {"@type": TCP_PROXY, "cluster": cluster}}


def chain(**fields):
    return {"filters": [tcp()], **fields}


def listener(*chains, **fields):
    address = {"socket_address": {"address": "127.0.0.1", "port_value": 15001}}
    return {"name": "in", "address": address, "filter_chains": list(chains), **fields}


def tls(**fields):
    context = {"@type": DOWNSTREAM_TLS, "common_tls_context": {"tls_certificate_sds_secret_configs": [SDS]}, **fields}
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def decode(resource):
    reader = Reader({"@type": "type.googleapis.com/envoy.config.listener.v3.Listener", **resource})
    decoded = decode_listener(reader, {})
    reader.reject_unread()
    return decoded


def test_a_tcp_listener_is_decoded():
    assert decode(listener(chain())) == ListenerConfig(
        "in", Address("127.0.0.1", 15001), (FilterChainConfig("", TcpProxyConfig((("a", 1),))),)
    )


def test_an_inbound_listener_is_decoded():
    match = {"transport_protocol": "tls", "application_protocols": MESH}
    config = decode(
        listener(
            chain(name="mtls", filter_chain_match=match, transport_socket=tls()),
            chain(name="plaintext", filter_chain_match={"transport_protocol": "raw_buffer"}),
            traffic_direction="INBOUND",
            listener_filters=[INSPECTION],
            listener_filters_timeout="0s",
            continue_on_listener_filters_timeout=True,
        )
    )
    mtls, plaintext = config.filter_chains
    assert config.is_inbound
    assert config.needs_inspection
    assert (config.inspection_timeout, config.continues_on_timeout) == (0.0, True)
    assert mtls.match == FilterChainMatch(transport_protocol="tls", application_protocols=tuple(MESH))
    assert isinstance(mtls.tls, DownstreamTlsConfig)
    assert mtls.tls.common.certificate_secrets == ("default",)
    assert plaintext.tls is None


def test_a_gateways_chains_are_told_apart_by_server_name():
    match = {"server_names": ["shop.example", "*.example"], "destination_port": 8443}
    config = decode(listener(chain(filter_chain_match=match, transport_socket=tls()), listener_filters=[INSPECTION]))
    assert config.filter_chains[0].match == FilterChainMatch(8443, ("shop.example", "*.example"))


def test_nothing_is_inspected_where_it_would_decide_nothing():
    assert not decode(listener(chain(transport_socket=tls()), listener_filters=[INSPECTION])).needs_inspection
    assert not decode(listener(chain(filter_chain_match={"transport_protocol": "tls"}))).needs_inspection


def test_a_default_filter_chain_and_a_handshake_timeout_are_decoded():
    config = decode(listener(default_filter_chain=chain(name="rest", transport_socket_connect_timeout="3s")))
    assert config.default_filter_chain.name == "rest"
    assert config.default_filter_chain.handshake_timeout == 3.0


def test_raw_buffer_is_no_tls():
    raw = {"name": "raw", "typed_config": {"@type": EXTENSIONS + "transport_sockets.raw_buffer.v3.RawBuffer"}}
    assert decode(listener(chain(transport_socket=raw))).filter_chains[0].tls is None


def test_equal_json_makes_equal_listeners():
    resource = listener(chain(transport_socket=tls()), listener_filters=[INSPECTION])
    assert decode(resource) == decode(resource)


def unknown(kind):
    return {"name": "x", "typed_config": {"@type": f"type.googleapis.com/{kind}"}}


def test_a_listener_of_captured_traffic_is_decoded():
    ranges = [{"address_prefix": "10.1.2.3", "prefix_len": 8}]
    config = decode(
        listener(
            chain(filter_chain_match={"prefix_ranges": ranges}),
            bind_to_port=False,
            listener_filters=[INSPECTION, HTTP_INSPECTION],
        )
    )
    assert (config.is_bound, config.inspects_tls, config.inspects_http) == (False, True, True)
    assert config.filter_chains[0].match.prefix_ranges == (ip_network("10.0.0.0/8"),)
    assert decode(listener(chain(), use_original_dst=True)).hands_off
    assert not decode(listener(chain())).hands_off


def _ports(*numbers):
    return [{"destination_port_range": {"start": number, "end": number + 1}} for number in numbers]


@pytest.mark.parametrize(
    ("disabled", "ports"), [(_ports(80)[0], {80}), ({"or_match": {"rules": _ports(80, 443)}}, {80, 443})]
)
def test_http_inspector_leaves_the_ports_alone_for_which_it_is_disabled(disabled, ports):
    inspection = {**HTTP_INSPECTION, "filter_disabled": disabled}
    config = decode(listener(chain(), listener_filters=[inspection]))
    assert {port for port in (79, 80, 81, 443) if not config.inspects_http_at(port)} == ports


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        ({"name": "in"}, "address: is required"),
        (listener(), "filter_chains: is required"),
        (listener(chain(), name=""), "name: is required"),
        (listener(chain(), address={"pipe": {}}), "address.pipe.path: is required"),
        (
            listener(chain(), address={"socket_address": {"address": "::", "port_value": 70000}}),
            "address.socket_address.port_value: must be 0..65535",
        ),
        (
            listener(chain(), address={"socket_address": {"address": "::", "port_value": 1, "protocol": "UDP"}}),
            "address.socket_address.protocol: must be one of TCP",
        ),
        (listener(chain(), chain()), "filter_chains: two filter chains match the same connections"),
        (listener(chain(), freebind=True), "freebind: this proxy does not know the field"),
        (
            listener(chain(filter_chain_match={"prefix_ranges": [{"address_prefix": "shop", "prefix_len": 8}]})),
            "filter_chains[0].filter_chain_match.prefix_ranges[0].address_prefix: "
            "shop/8 is not a range of IP addresses",
        ),
        (listener({"filters": []}), "filter_chains[0].filters: must be one terminal filter"),
        (listener({"filters": [tcp(), tcp()]}), "filter_chains[0].filters: must be one terminal filter"),
        (listener({"filters": [unknown("nope")]}), "filter_chains[0].filters[0].typed_config.@type: type.googleapis"),
        (listener(chain(), listener_filters=[unknown("nope")]), "listener_filters[0].typed_config.@type"),
        (listener(chain(transport_socket=unknown("nope"))), "filter_chains[0].transport_socket.typed_config.@type"),
        (
            listener(chain(filter_chain_match={"server_names": ["a.*.b"]})),
            "filter_chains[0].filter_chain_match.server_names: 'a.*.b'",
        ),
        (
            listener(chain(filter_chain_match={"source_ports": [1]})),
            "filter_chains[0].filter_chain_match.source_ports: this proxy does not know the field",
        ),
        (
            listener(chain(transport_socket=tls(ocsp_staple_policy="MUST_STAPLE"))),
            "filter_chains[0].transport_socket.typed_config.ocsp_staple_policy",
        ),
    ],
)
def test_a_bad_listener_is_refused_with_its_path(resource, reason):
    with pytest.raises(DecodeError) as raised:
        decode(resource)
    assert str(raised.value).startswith(reason)
