from typing import Any

import pytest

from pymesh.errors import DecodeError
from pymesh.protojson import Reader
from pymesh.proxy.downstream.hcm_config import HttpConnectionManagerConfig, decode_http_connection_manager
from pymesh.proxy.telemetry.tracer import DEFAULT_SAMPLING

ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"


def decode(**fields: Any) -> HttpConnectionManagerConfig:
    filters = [{"name": "router", "typed_config": {"@type": ROUTER}}]
    reader = Reader({"rds": {"route_config_name": "http_proxy"}, "http_filters": filters, **fields})
    config = decode_http_connection_manager(reader, lambda routes: routes)  # type: ignore[arg-type, return-value]
    reader.reject_unread()
    return config


@pytest.mark.parametrize(
    ("fields", "percent"),
    [
        ({}, DEFAULT_SAMPLING),
        ({"tracing": {}}, 100.0),
        ({"tracing": {"random_sampling": {"value": 12.5}}}, 12.5),
        ({"tracing": {"randomSampling": {"value": 0}}}, 0.0),
    ],
)
def test_the_share_of_sampled_traces_is_the_listener_s(fields: dict[str, Any], percent: float) -> None:
    assert decode(**fields).random_sampling == percent


def test_other_ways_to_sample_are_refused() -> None:
    with pytest.raises(DecodeError, match=r"tracing.overall_sampling: this proxy does not know the field"):
        decode(tracing={"overall_sampling": {"value": 5}})
