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


def test_flags_stand_in_the_order_in_which_they_were_set() -> None:
    assert info_with_flags("URX", "UF").response_flags == ("URX", "UF")
    assert info_with_flags("DI", "DC", "DI").response_flags == ("DI", "DC")


def test_a_flag_stands_once_and_no_flag_is_none() -> None:
    assert info_with_flags("URX", "UF", "URX", "").response_flags == ("URX", "UF")
    assert info_with_flags("").response_flags == ()


def test_access_log_and_metrics_print_the_same_order() -> None:
    info = info_with_flags("URX", "UF")
    assert compile_format("%RESPONSE_FLAGS%")(info) == "URX,UF"
    telemetry = Telemetry()
    telemetry.on_request(info, OUTBOUND)
    telemetry.on_request(info_with_flags("URX", "UF"), OUTBOUND)
    (series,) = telemetry.stats.http_series()
    assert dict(zip(HTTP_LABELS, series.labels, strict=True))["response_flags"] == "URX,UF"
