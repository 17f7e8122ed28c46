from typing import Any

import pytest

from pymesh.errors import DecodeError
from pymesh.protojson import Reader
from pymesh.proxy.downstream.hcm_config import (
    ClientCertDetails,
    HttpConnectionManagerConfig,
    decode_http_connection_manager,
)

ROUTER = {
    "name": "envoy.filters.http.router",
    "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
}
FAULT = {
    "name": "envoy.filters.http.fault",
    "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"},
}
RDS = {"rds": {"route_config_name": "http_proxy", "config_source": {"ads": {}}}}


def decode(**fields: Any) -> HttpConnectionManagerConfig:
    reader = Reader({"stat_prefix": "x", "http_filters": [ROUTER], **(RDS | fields)})
    config = decode_http_connection_manager(reader, lambda routes: routes.string("name"))  # type: ignore[arg-type,return-value]
    reader.reject_unread()
    return config


def test_defaults_are_envoys() -> None:
    config = decode()
    assert config.route_config_name == "http_proxy"
    assert (config.idle_timeout, config.stream_idle_timeout, config.request_headers_timeout) == (3600.0, 300.0, 0.0)
    assert config.generate_request_id
    assert config.server_name == "envoy"
    assert not config.accept_http_10
    assert [item.name for item in config.http_filters] == ["envoy.filters.http.router"]


def test_everything_that_we_obey_is_read() -> None:
    config = decode(
        use_remote_address=True,
        xff_num_trusted_hops=2,
        server_name="istio-envoy",
        server_header_transformation="PASS_THROUGH",
        forward_client_cert_details="APPEND_FORWARD",
        set_current_client_cert_details={"subject": True, "uri": True},
        upgrade_configs=[{"upgrade_type": "websocket"}, {"upgrade_type": "CONNECT", "enabled": False}],
        normalize_path=True,
        path_with_escaped_slashes_action="UNESCAPE_AND_FORWARD",
        stream_idle_timeout="10s",
        request_timeout="0s",
        common_http_protocol_options={"idle_timeout": "60s", "max_requests_per_connection": 5},
        http_protocol_options={"accept_http_10": True},
        http_filters=[FAULT, ROUTER],
    )
    assert config.use_remote_address
    assert config.set_current_client_cert_details == ClientCertDetails(subject=True, uri=True)
    assert config.upgrades == {"websocket"}
    assert (config.idle_timeout, config.stream_idle_timeout) == (60.0, 10.0)
    assert config.max_requests_per_connection == 5
    assert config.accept_http_10
    assert len(config.http_filters) == 2


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"http_filters": []}, "http_filters"),
        ({"http_filters": [ROUTER, FAULT]}, "http_filters"),
        ({"http_filters": [{"name": "x", "typed_config": {"@type": "nope"}}]}, "http_filters[0].typed_config.@type"),
        ({"route_config": {"name": "x"}}, "route_config"),
        ({"server_header_transformation": "SOMETIMES"}, "server_header_transformation"),
        ({"via": "x"}, "via"),
        ({"stream_idle_timeout": "soon"}, "stream_idle_timeout"),
    ],
)
def test_what_cannot_be_obeyed_is_named(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(DecodeError) as error:
        decode(**fields)
    assert error.value.path == path


def test_no_routes_at_all_is_an_error() -> None:
    with pytest.raises(DecodeError, match="rds or route_config is required"):
        decode_http_connection_manager(Reader({"http_filters": [ROUTER]}), lambda routes: routes)  # type: ignore[arg-type,return-value]


def test_it_is_a_value() -> None:
    """The listener manager leaves a listener alone whose configuration is equal to the one it has."""
    assert decode() == decode()
    assert hash(decode()) == hash(decode())


def test_internal_networks_are_read_and_make_the_router_obey_their_requests() -> None:
    ranges = [{"address_prefix": "10.1.2.3", "prefix_len": 8}, {"address_prefix": "fd00::", "prefix_len": 8}]
    config = decode(internal_address_config={"unix_sockets": True, "cidr_ranges": ranges})
    assert config.internal_networks == ("10.0.0.0/8", "fd00::/8")
    assert config.http_filters[-1].config.obeys_requests
    assert not decode().http_filters[-1].config.obeys_requests


def test_a_network_that_is_none_is_refused_by_its_path() -> None:
    with pytest.raises(DecodeError) as raised:
        decode(internal_address_config={"cidr_ranges": [{"address_prefix": "10.0.0", "prefix_len": 8}]})
    assert raised.value.path == "internal_address_config.cidr_ranges[0].address_prefix"


def test_the_longest_stream_and_who_answers_expectations_are_read() -> None:
    config = decode(common_http_protocol_options={"max_stream_duration": "60s"}, proxy_100_continue=True)
    assert (config.max_stream_duration, config.proxy_100_continue) == (60.0, True)
