from collections.abc import Callable

from prometheus_client.parser import text_string_to_metric_families

from pymesh.proxy.telemetry.direction import INBOUND, OUTBOUND, Direction
from pymesh.proxy.telemetry.metric_names import DOWNSTREAM_CX_ACTIVE, DOWNSTREAM_CX_TOTAL
from pymesh.proxy.telemetry.stream_info import StreamInfo
from pymesh.proxy.telemetry.telemetry import Telemetry
from pymesh.proxy.telemetry.workload import Workload

Make = Callable[..., StreamInfo]


class Recorder:
    """An access log and a span exporter that remember."""

    def __init__(self) -> None:
        self.seen: list[StreamInfo] = []
        self.dropped = 5

    def log(self, info: StreamInfo) -> None:
        self.seen.append(info)

    def on_span(self, info: StreamInfo, direction: Direction) -> None:
        self.seen.append(info)


def samples(telemetry: Telemetry) -> dict[str, list[tuple[dict[str, str], float]]]:
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(b"".join(telemetry.expose()).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def test_every_request_is_logged_and_only_a_sampled_one_has_a_span(make_info: Make) -> None:
    log, spans = Recorder(), Recorder()
    telemetry = Telemetry(access_log=log, spans=spans)
    plain, sampled = make_info(), make_info(sampled=True)
    telemetry.on_request(plain, OUTBOUND)
    telemetry.on_request(sampled, OUTBOUND)
    assert log.seen == [plain, sampled]
    assert spans.seen == [sampled]


def test_a_scrape_shows_requests_and_buckets(web: Workload, make_info: Make) -> None:
    telemetry = Telemetry(web)
    telemetry.on_request(make_info(), OUTBOUND)
    telemetry.on_request(make_info(end=10.2), OUTBOUND)
    telemetry.on_request(make_info(), INBOUND)
    found = samples(telemetry)
    assert [(labels["reporter"], value) for labels, value in found["istio_requests_total"]] == [
        ("source", 2),
        ("destination", 1),
    ]
    buckets = [
        (labels["le"], value)
        for labels, value in found["istio_request_duration_milliseconds_bucket"]
        if labels["reporter"] == "source"
    ]
    assert len(buckets) == 20
    assert buckets[0] == ("0.5", 0)
    assert buckets[3] == ("10", 1)
    assert buckets[7] == ("250", 2)
    assert buckets[-1] == ("+Inf", 2)
    assert found["istio_request_duration_milliseconds_count"][0][1] == 2
    assert found["istio_response_bytes_sum"][0][1] == 2048


def test_a_label_with_quotes_and_line_ends_is_escaped(make_info: Make) -> None:
    telemetry = Telemetry(Workload('a"b\\c\nd', "default", "a", "v1", "pymesh"))
    telemetry.on_request(make_info(), OUTBOUND)
    assert samples(telemetry)["istio_requests_total"][0][0]["source_workload"] == 'a"b\\c\nd'


def test_tcp_connections_are_inbound_by_their_cluster(make_info: Make) -> None:
    log = Recorder()
    telemetry = Telemetry(access_log=log)
    info = make_info(upstream_cluster="inbound|5432||", bytes_sent=9)
    telemetry.on_tcp_open(info)
    assert log.seen == []
    telemetry.on_tcp_close(info)
    assert log.seen == [info]
    (labels, value) = samples(telemetry)["istio_tcp_sent_bytes_total"][0]
    assert (labels["reporter"], value) == ("destination", 9)


def test_figures_of_the_proxy_and_its_process_are_shown() -> None:
    telemetry = Telemetry(access_log=Recorder(), spans=Recorder())
    telemetry.metrics.counter(DOWNSTREAM_CX_TOTAL).value += 3
    telemetry.metrics.read(DOWNSTREAM_CX_ACTIVE, lambda: 2)
    found = samples(telemetry)
    assert found[DOWNSTREAM_CX_TOTAL.name] == [({}, 3)]
    assert found[DOWNSTREAM_CX_ACTIVE.name] == [({}, 2)]
    assert found["pymesh_access_log_dropped_total"] == [({}, 5)]
    assert found["pymesh_spans_dropped_total"] == [({}, 5)]
    assert found["process_resident_memory_bytes"][0][1] > 1_000_000


def test_a_long_scrape_comes_in_pieces_and_misses_what_began_meanwhile(make_info: Make) -> None:
    telemetry = Telemetry()
    for code in range(200, 300):
        telemetry.on_request(make_info(response_code=code), OUTBOUND)
    pieces = telemetry.expose()
    text = next(pieces)
    telemetry.on_request(make_info(response_code=599), OUTBOUND)
    text += b"".join(pieces)
    assert len(text) > 2_000_000
    assert text.count(b"\nistio_requests_total{") == 100
    assert b'response_code="599"' not in text  # bare digits may stand in a timestamp
    assert all(len(piece) < 70_000 for piece in telemetry.expose())
