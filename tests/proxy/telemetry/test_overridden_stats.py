"""Metrics as configuration changes them: what a scrape shows, and what is exported."""

from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pymesh import otlp
from pymesh.errors import DecodeError
from pymesh.protojson import Reader
from pymesh.proxy.telemetry.direction import INBOUND, OUTBOUND
from pymesh.proxy.telemetry.metrics_request import MetricsRequest
from pymesh.proxy.telemetry.overridden_stats import OverriddenStats
from pymesh.proxy.telemetry.stats_config import CONFIG_TYPE_URL, MetricConfig, StatsConfig, decode_stats
from pymesh.proxy.telemetry.stream_info import StreamInfo
from pymesh.proxy.telemetry.telemetry import Telemetry

Make = Callable[..., StreamInfo]
HTTP = {
    "istio_requests_total",
    "istio_request_duration_milliseconds_count",
    "istio_request_bytes_count",
    "istio_response_bytes_count",
}
TCP = {
    f"istio_tcp_{name}_total" for name in ("connections_opened", "connections_closed", "sent_bytes", "received_bytes")
}


class Counts:
    """A proxy's metrics, changed so."""

    def __init__(self, *metrics: MetricConfig) -> None:
        self.telemetry = Telemetry()
        self.changed = OverriddenStats(StatsConfig(metrics), self.telemetry.stats)

    def samples(self) -> list[tuple[str, dict[str, str], float]]:
        """Of Istio's metrics, but for buckets; each series once."""
        text = b"".join(self.telemetry.expose()).decode()
        families = [one for one in text_string_to_metric_families(text) if one.name.startswith("istio_")]
        assert len({family.name for family in families}) == len(families)
        found = [(one.name, one.labels, one.value) for family in families for one in family.samples]
        assert len({(name, *sorted(labels.items())) for name, labels, _ in found}) == len(found)
        return [one for one in found if not one[0].endswith("_bucket")]

    def names(self) -> set[str]:
        return {name for name, _, _ in self.samples() if not name.endswith("_sum")}

    def labels(self, metric: str) -> dict[str, str]:
        (labels,) = [labels for name, labels, _ in self.samples() if name == metric]
        return labels

    def exported(self) -> dict[str, list[tuple[dict[str, str], int]]]:
        request = otlp.ExportMetricsServiceRequest()
        request.ParseFromString(MetricsRequest(self.telemetry.stats, "node", 0.0).serialize(1.0))
        found: dict[str, list[tuple[dict[str, str], int]]] = {}
        for metric in request.resource_metrics[0].scope_metrics[0].metrics:
            for point in getattr(metric, metric.WhichOneof("value")).data_points:
                labels = {one.key: one.value.string_value for one in point.attributes}
                count = point.count if metric.WhichOneof("value") == "histogram" else point.as_int
                found.setdefault(metric.name, []).append((labels, count))
        return found


def test_a_metric_that_is_dropped_is_not_there_and_the_others_are(make_info: Make) -> None:
    counts = Counts(MetricConfig("requests_total", is_dropped=True), MetricConfig("request_bytes", is_dropped=True))
    counts.changed.on_request(make_info(), OUTBOUND)
    assert counts.names() == HTTP - {"istio_requests_total", "istio_request_bytes_count"}
    assert set(counts.exported()) == {"istio_request_duration_milliseconds", "istio_response_bytes"}


def test_where_all_are_dropped_nothing_is_shown_or_exported(make_info: Make) -> None:
    counts = Counts(MetricConfig(is_dropped=True))
    counts.changed.on_request(make_info(), OUTBOUND)
    counts.changed.on_tcp_close(make_info(), OUTBOUND)
    assert counts.names() == set()
    assert MetricsRequest(counts.telemetry.stats, "node", 0.0).serialize(1.0) is None


def test_a_label_that_is_removed_is_absent_and_its_series_are_one(make_info: Make) -> None:
    counts = Counts(MetricConfig("requests_total", tags_to_remove=("response_code", "no_such_label")))
    for code in (200, 404, 503):
        counts.changed.on_request(make_info(response_code=code), OUTBOUND)
    assert "response_code" not in counts.labels("istio_requests_total")
    assert [value for name, _, value in counts.samples() if name == "istio_requests_total"] == [3]
    assert len([1 for name, _, _ in counts.samples() if name == "istio_response_bytes_count"]) == 3
    assert [count for _, count in counts.exported()["istio_requests_total"]] == [3]


def test_a_label_is_added_or_has_another_value(make_info: Make) -> None:
    dimensions = (
        ("destination_version", "'next'"),
        ("request_method", "request.method"),
        ("x-port", "destination.port"),
    )
    counts = Counts(MetricConfig("request_bytes", dimensions=dimensions), MetricConfig("requests_total"))
    counts.changed.on_request(make_info(), OUTBOUND)
    labels = counts.labels("istio_request_bytes_count")
    assert (labels["destination_version"], labels["request_method"], labels["x_port"]) == ("next", "GET", "15001")
    assert counts.labels("istio_requests_total")["destination_version"] == "v2"


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("request.headers['x-none']", "unknown"),
        ("nobody.declared", "unknown"),
        ("response.code >= 200", "true"),
        ("1.5", "1.5"),
        ("upstream_peer.app + '/' + upstream_peer.namespace", "payment/shop"),
        ("has(request.headers.host) ? request.host : 'none'", "payment.shop"),
    ],
)
def test_a_value_is_printed_as_envoy_does_and_unknown_where_it_cannot_be_told(make_info, expression, value) -> None:
    counts = Counts(MetricConfig(dimensions=(("tag", expression),)))
    counts.changed.on_request(make_info(), OUTBOUND)
    assert counts.labels("istio_requests_total")["tag"] == value


def test_a_changed_value_that_some_other_stream_has_anyway_is_the_same_series(make_info: Make) -> None:
    counts = Counts(MetricConfig(dimensions=(("response_code", "'200'"),)))
    counts.telemetry.stats.on_request(make_info(), OUTBOUND)
    counts.changed.on_request(make_info(response_code=503), OUTBOUND)
    counts.changed.on_tcp_close(make_info(), OUTBOUND)  # where there is no such label
    values = {name: value for name, _, value in counts.samples() if not name.endswith("_sum")}
    assert values == dict.fromkeys(HTTP, 2) | {name: values[name] for name in TCP}
    assert values["istio_tcp_connections_closed_total"] == 1


def test_bytes_of_a_tcp_connection_go_on_with_its_labels_and_dropped_ones_are_not_shown(make_info: Make) -> None:
    counts = Counts(
        MetricConfig("tcp_sent_bytes_total", is_dropped=True),
        MetricConfig("tcp_received_bytes_total", dimensions=(("sni", "connection.requested_server_name"),)),
    )
    info = make_info(bytes_received=5, bytes_sent=7, requested_server_name="db")
    counts.changed.on_tcp_open(info, INBOUND)
    assert counts.names() == TCP - {"istio_tcp_sent_bytes_total"}
    info.bytes_received = 50
    counts.changed.on_tcp_close(info, INBOUND)
    values = {name: value for name, _, value in counts.samples()}
    assert values["istio_tcp_received_bytes_total"] == 50
    assert counts.labels("istio_tcp_received_bytes_total")["sni"] == "db"
    assert "sni" not in counts.labels("istio_tcp_connections_closed_total")
    assert counts.telemetry.stats.open_tcp_connections == 0


def test_series_are_bounded_whatever_an_expression_says(make_info: Make) -> None:
    counts = Counts(MetricConfig("requests_total", dimensions=(("path", "request.path"),)))
    counts.telemetry.stats._max_series = 2
    for number in range(20):
        counts.changed.on_request(make_info(path=b"/%d" % number), OUTBOUND)
    paths = [labels["path"] for name, labels, _ in counts.samples() if name == "istio_requests_total"]
    assert len(paths) == 9
    assert "overflow" in paths


def decode(value, type_url=CONFIG_TYPE_URL):
    reader = Reader({"@type": "x", "type_url": type_url, "value": value})
    found = decode_stats(reader)
    reader.reject_unread()
    return found


def test_the_filters_configuration_is_read() -> None:
    metric = {"name": "requests_total", "dimensions": {"b": "1", "a": "request.id"}, "tags_to_remove": ["c"]}
    value = {"metrics": [metric, {"name": "x", "drop": True}], "tcp_reporting_duration": "5s"}
    changed = MetricConfig("requests_total", False, (("a", "request.id"), ("b", "1")), ("c",))
    assert decode(value) == StatsConfig((changed, MetricConfig("x", is_dropped=True)))


@pytest.mark.parametrize(
    ("value", "type_url", "path"),
    [
        ({"metrics": [{"dimensions": {"a": "request."}}]}, CONFIG_TYPE_URL, r"value\.metrics\[0\]\.dimensions\.a"),
        ({"definitions": []}, CONFIG_TYPE_URL, r"value\.definitions"),
        ({}, "type.googleapis.com/other", "type_url"),
    ],
)
def test_what_this_proxy_cannot_count_is_refused_by_its_path(value, type_url, path) -> None:
    with pytest.raises(DecodeError, match=f"^{path}"):
        decode(value, type_url)


def test_calls_of_grpc_are_told_apart_by_their_status(make_info: Make) -> None:
    counts = Counts(MetricConfig("requests_total", tags_to_remove=("source_app",)))
    for status in ("0", "13"):
        info = make_info()
        info.grpc_status = status
        counts.changed.on_request(info, OUTBOUND)
    found = [labels for name, labels, _ in counts.samples() if name == "istio_requests_total"]
    assert {labels["grpc_response_status"] for labels in found} == {"0", "13"}
