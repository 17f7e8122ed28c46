from collections.abc import Callable
from types import SimpleNamespace

import pytest

from pymesh.names import PASSTHROUGH_CLUSTER
from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.telemetry.direction import INBOUND, OUTBOUND, Direction
from pymesh.proxy.telemetry.labels import LocalPeer
from pymesh.proxy.telemetry.metric_names import HTTP_LABELS, TCP_LABELS
from pymesh.proxy.telemetry.stats import HttpSeries, Stats
from pymesh.proxy.telemetry.stream_info import StreamInfo
from pymesh.proxy.telemetry.workload import UNKNOWN_WORKLOAD, Workload

Make = Callable[..., StreamInfo]


@pytest.fixture
def stats(web: Workload, web_principal: str) -> Stats:
    return Stats(LocalPeer(web, web_principal, is_gateway=False))


def labels_of(stats: Stats) -> dict[str, str]:
    (series,) = stats.http_series()
    return dict(zip(HTTP_LABELS, series.labels, strict=True))


def count(stats: Stats, info: StreamInfo, direction: Direction = OUTBOUND) -> dict[str, str]:
    stats.on_request(info, direction)
    return labels_of(stats)


def test_an_outbound_request_is_reported_by_its_source(stats: Stats, make_info: Make) -> None:
    assert count(stats, make_info()) == {
        "reporter": "source",
        "source_workload": "web-v1",
        "source_canonical_service": "web",
        "source_canonical_revision": "v1",
        "source_workload_namespace": "default",
        "source_principal": "spiffe://cluster.local/ns/default/sa/web",
        "source_app": "web",
        "source_version": "v1",
        "source_cluster": "pymesh",
        "destination_workload": "payment-v2",
        "destination_workload_namespace": "shop",
        "destination_principal": "spiffe://cluster.local/ns/shop/sa/payment",
        "destination_app": "payment",
        "destination_version": "v2",
        "destination_service": "payment.shop.svc.cluster.local",
        "destination_canonical_service": "payment",
        "destination_canonical_revision": "v2",
        "destination_service_name": "payment",
        "destination_service_namespace": "shop",
        "destination_cluster": "pymesh",
        "request_protocol": "http",
        "response_code": "200",
        "grpc_response_status": "",
        "response_flags": "-",
        "connection_security_policy": "unknown",
    }


@pytest.mark.parametrize("direction", [OUTBOUND, INBOUND])
def test_calls_of_grpc_are_told_apart_by_their_status(stats: Stats, make_info: Make, direction: Direction) -> None:
    for status in (None, "0", "14", "14"):
        stats.on_request(make_info(grpc_status=status), direction)
    found = [(dict(zip(HTTP_LABELS, series.labels, strict=True)), series.requests) for series in stats.http_series()]
    assert [(labels["request_protocol"], labels["grpc_response_status"], count) for labels, count in found] == [
        ("http", "", 1),
        ("grpc", "0", 1),
        ("grpc", "14", 2),
    ]


def test_an_inbound_mtls_request_names_the_client(
    payment: Workload, payment_principal: str, web: Workload, web_principal: str, make_info: Make
) -> None:
    stats = Stats(LocalPeer(payment, payment_principal, is_gateway=False))
    info = make_info(downstream_peer=web, downstream_principal=web_principal, upstream_principal="")
    labels = count(stats, info, INBOUND)
    assert labels["reporter"] == "destination"
    assert labels["connection_security_policy"] == "mutual_tls"
    assert (labels["source_workload"], labels["source_principal"]) == ("web-v1", web_principal)
    assert (labels["destination_workload"], labels["destination_principal"]) == ("payment-v2", payment_principal)
    assert (labels["destination_service_namespace"], labels["destination_service_name"]) == ("shop", "payment")


def test_an_inbound_plaintext_request_comes_from_somebody_unknown(
    payment: Workload, payment_principal: str, make_info: Make
) -> None:
    stats = Stats(LocalPeer(payment, payment_principal, is_gateway=False))
    labels = count(stats, make_info(is_mtls=False, service=None), INBOUND)
    assert labels["connection_security_policy"] == "none"
    assert (labels["source_workload"], labels["source_version"]) == ("unknown", "unknown")
    assert labels["source_canonical_revision"] == "latest"
    assert (labels["source_principal"], labels["destination_principal"]) == ("unknown", "unknown")
    assert labels["destination_service"] == "payment"


def test_a_request_that_found_no_endpoint_has_its_flags_and_an_unknown_destination(
    stats: Stats, make_info: Make
) -> None:
    info = make_info(upstream_host=None, upstream_principal="", response_code=503, response_flags=("UF", "URX"))
    labels = count(stats, info)
    assert (labels["response_code"], labels["response_flags"]) == ("503", "UF,URX")
    assert labels["destination_workload"] == "unknown"
    assert labels["destination_service"] == "payment.shop.svc.cluster.local"


def test_a_sidecar_names_an_unknown_destination_by_its_host(stats: Stats, make_info: Make) -> None:
    info = make_info(service=None, upstream_host=None, upstream_cluster=PASSTHROUGH_CLUSTER)
    info.request_headers = HeaderMap([(b"host", b"example.org")])
    labels = count(stats, info)
    assert (labels["destination_service"], labels["destination_service_name"]) == ("example.org", PASSTHROUGH_CLUSTER)


def test_two_unknown_hosts_are_two_series_though_all_else_is_the_same(stats: Stats, make_info: Make) -> None:
    for host in (b"a.example", b"b.example"):
        stats.on_request(make_info(service=None, request_headers=HeaderMap([(b"host", host)])), OUTBOUND)
    assert len(list(stats.http_series())) == 2


def test_a_gateway_does_not_take_a_label_from_its_clients(web: Workload, make_info: Make) -> None:
    stats = Stats(LocalPeer(web, "", is_gateway=True))
    info = make_info(service=None, upstream_host=None, upstream_cluster="", response_code=404, response_flags=("NR",))
    assert count(stats, info)["destination_service"] == "unknown"


def test_equal_requests_share_a_series_with_three_histograms(stats: Stats, make_info: Make) -> None:
    stats.on_request(make_info(), OUTBOUND)
    stats.on_request(make_info(end=10.0004, bytes_received=20, bytes_sent=5_000_000), OUTBOUND)
    (series,) = stats.http_series()
    assert series.requests == 2
    assert nonzero(series.duration_counts) == {0: 1, 3: 1}  # <= 0.5 ms, <= 10 ms
    assert nonzero(series.request_counts) == {0: 1, 4: 1}  # 0, 20
    assert nonzero(series.response_counts) == {10: 1, 19: 1}  # 1024, above every bound
    assert (series.request_sum, series.response_sum) == (20, 5_001_024)
    assert series.duration_sum == pytest.approx(7.9)


def nonzero(counts: list[int]) -> dict[int, int]:
    return {bucket: count for bucket, count in enumerate(counts) if count}


def test_a_cluster_that_gets_another_service_is_counted_under_it(stats: Stats, make_info: Make) -> None:
    stats.on_request(make_info(), OUTBOUND)
    renamed = make_info(service=SimpleNamespace(name="pay", namespace="shop", host="pay.shop.svc.cluster.local"))
    stats.on_request(renamed, OUTBOUND)
    assert [destination(series) for series in stats.http_series()] == [
        "payment.shop.svc.cluster.local",
        "pay.shop.svc.cluster.local",
    ]


def destination(series: HttpSeries) -> str:
    return series.labels[HTTP_LABELS.index("destination_service")]


def test_too_many_series_end_in_a_catch_all_that_is_counted(web: Workload, make_info: Make) -> None:
    stats = Stats(LocalPeer(web, "", is_gateway=False), max_series=3)
    for code in range(200, 210):
        stats.on_request(make_info(response_code=code), OUTBOUND)
    series = list(stats.http_series())
    assert len(series) == 4
    assert series[-1].requests == 7
    assert set(series[-1].labels) == {"source", "overflow"}
    assert stats.overflows == 7


def test_a_tcp_connection_counts_bytes_while_it_is_open(stats: Stats, make_info: Make) -> None:
    info = make_info(bytes_sent=0)
    stats.on_tcp_open(info, OUTBOUND)
    info.bytes_sent, info.bytes_received = 100, 10
    (series,) = stats.tcp_series()
    assert (series.opened, series.closed, series.sent_bytes, series.received_bytes) == (1, 0, 100, 10)
    info.bytes_sent = 150
    stats.on_tcp_close(info, OUTBOUND)
    (series,) = stats.tcp_series()
    assert (series.opened, series.closed, series.sent_bytes, series.received_bytes) == (1, 1, 150, 10)
    assert stats.open_tcp_connections == 0
    assert dict(zip(TCP_LABELS, series.labels, strict=True))["request_protocol"] == "tcp"


def test_a_tcp_connection_that_never_opened_is_opened_and_closed_with_its_flag(stats: Stats, make_info: Make) -> None:
    stats.on_tcp_close(make_info(response_flags=("UF",), upstream_host=None), OUTBOUND)
    (series,) = stats.tcp_series()
    assert (series.opened, series.closed) == (1, 1)
    assert dict(zip(TCP_LABELS, series.labels, strict=True))["response_flags"] == "UF"


def test_unknown_peers_are_called_unknown() -> None:
    assert set(UNKNOWN_WORKLOAD) == {"unknown"}
