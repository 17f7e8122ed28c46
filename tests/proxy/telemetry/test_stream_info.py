from pymesh.proxy.telemetry.access_log_format import compile_format
from pymesh.proxy.telemetry.direction import OUTBOUND
from pymesh.proxy.telemetry.metric_names import HTTP_LABELS
from pymesh.proxy.telemetry.stream_info import StreamInfo
from pymesh.proxy.telemetry.telemetry import Telemetry


def info_with_flags(*flags: str) -> StreamInfo:
    info = StreamInfo(0.0, 0.0)
    for flag in flags:
        info.add_flag(flag)
    return info


def test_flags_stand_in_envoy_s_order_whatever_came_first() -> None:
    assert info_with_flags("URX", "UF").response_flags == ("UF", "URX")
    assert info_with_flags("NC", "DC", "DI").response_flags == ("DI", "DC", "NC")


def test_a_flag_stands_once_and_no_flag_is_none() -> None:
    assert info_with_flags("URX", "UF", "URX", "").response_flags == ("UF", "URX")
    assert info_with_flags("").response_flags == ()


def test_access_log_and_metrics_print_the_same_order() -> None:
    info = info_with_flags("URX", "UF")
    assert compile_format("%RESPONSE_FLAGS%")(info) == "UF,URX"
    telemetry = Telemetry()
    telemetry.on_request(info, OUTBOUND)
    telemetry.on_request(info_with_flags("UF", "URX"), OUTBOUND)
    (series,) = telemetry.stats.http_series()
    assert dict(zip(HTTP_LABELS, series.labels, strict=True))["response_flags"] == "UF,URX"
