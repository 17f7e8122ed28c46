"""Two workers' counts as one proxy's."""

import msgspec
import pytest

from pymesh.proxy.telemetry.exposition import expose
from pymesh.proxy.telemetry.labels import LocalPeer
from pymesh.proxy.telemetry.metric_names import (
    BUCKETS,
    DOWNSTREAM_CX_ACTIVE,
    EJECTIONS_ACTIVE,
    HTTP_LABELS,
    MEMBERSHIP_HEALTHY,
    MEMBERSHIP_TOTAL,
    PROCESS_START,
    REQUESTS_TOTAL,
    TCP_LABELS,
    UPSTREAM_RQ_RETRY,
)
from pymesh.proxy.telemetry.workload import Workload
from pymesh.proxy.workers.merged_stats import MergedMetrics, MergedStats
from pymesh.proxy.workers.messages import HttpCounts, MetricCounts, StatsSnapshot, TcpCounts

OK = tuple("200" if name == "response_code" else "x" for name in HTTP_LABELS)
NOT_FOUND = tuple("404" if name == "response_code" else "x" for name in HTTP_LABELS)
DB = ("db",) * len(TCP_LABELS)


def http(labels: tuple[str, ...], requests: int) -> HttpCounts:
    """So many requests of 3 ms, 10 bytes in and 200 bytes out."""
    counts = [[0] * (len(BUCKETS) + 1) for _ in range(3)]
    for of, value in zip(counts, (3, 10, 200), strict=True):
        of[next(i for i, bound in enumerate(BUCKETS) if value <= bound)] = requests
    return HttpCounts(labels, counts[0], 3.0 * requests, counts[1], 10 * requests, counts[2], 200 * requests)


def snapshot(*counts: HttpCounts, tcp: tuple[TcpCounts, ...] = ()) -> StatsSnapshot:
    return StatsSnapshot(list(counts), list(tcp), [])


@pytest.fixture
def stats() -> MergedStats:
    return MergedStats(LocalPeer(Workload(), "", False))


def requests(stats: MergedStats) -> dict[tuple[str, ...], int]:
    return {series.labels: series.requests for series in stats.http_series()}


def test_the_requests_of_all_workers_add_up_by_series(stats: MergedStats) -> None:
    stats.add(1, snapshot(http(OK, 3)))
    stats.add(2, snapshot(http(OK, 4), http(NOT_FOUND, 1)))
    assert requests(stats) == {OK: 7, NOT_FOUND: 1}


def test_a_snapshot_counts_only_with_what_is_new_in_it(stats: MergedStats) -> None:
    stats.add(1, snapshot(http(OK, 3)))
    stats.add(1, snapshot(http(OK, 3)))
    stats.add(1, snapshot(http(OK, 5)))
    assert requests(stats) == {OK: 5}


def test_histograms_add_up_bucket_by_bucket(stats: MergedStats) -> None:
    stats.add(1, snapshot(http(OK, 3)))
    stats.add(2, snapshot(http(OK, 4)))
    stats.add(2, snapshot(http(OK, 6)))
    (series,) = stats.http_series()
    expected = http(OK, 9)
    assert msgspec.structs.asdict(expected) == {name: getattr(series, name) for name in HttpCounts.__struct_fields__}


def test_what_a_dead_worker_had_counted_stays_and_its_successor_adds_to_it(stats: MergedStats) -> None:
    stats.add(1, snapshot(http(OK, 3), tcp=(TcpCounts(DB, 2, 1, 100, 50),)))
    stats.forget(1)
    assert requests(stats) == {OK: 3}
    stats.add(2, snapshot(http(OK, 1), tcp=(TcpCounts(DB, 1, 0, 10, 5),)))
    (tcp,) = stats.tcp_series()
    assert requests(stats) == {OK: 4}
    assert (tcp.opened, tcp.closed, tcp.sent_bytes, tcp.received_bytes) == (3, 1, 110, 55)


def test_a_successor_with_the_pid_of_a_dead_worker_begins_at_zero(stats: MergedStats) -> None:
    stats.add(1, snapshot(http(OK, 3)))
    stats.forget(1)
    stats.add(1, snapshot(http(OK, 2)))
    assert requests(stats) == {OK: 5}


def test_a_series_stays_the_same_object_for_whoever_keeps_it(stats: MergedStats) -> None:
    stats.add(1, snapshot(http(OK, 1)))
    (before,) = stats.http_series()
    stats.add(2, snapshot(http(OK, 1)))
    assert list(stats.http_series()) == [before]


def test_a_snapshot_survives_its_way_between_the_processes() -> None:
    sent = StatsSnapshot([http(OK, 3)], [TcpCounts(DB, 2, 1, 100, 50)], [(UPSTREAM_RQ_RETRY, 2)])
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(sent), type=StatsSnapshot) == sent


def test_a_scrape_shows_each_series_once(stats: MergedStats) -> None:
    stats.add(1, snapshot(http(OK, 3)))
    stats.add(2, snapshot(http(OK, 4)))
    text = b"".join(expose(stats, MergedMetrics())).decode()
    assert [line.rpartition(" ")[2] for line in text.splitlines() if line.startswith("istio_requests_total{")] == ["7"]


def test_counters_of_workers_and_supervisor_add_up_and_never_go_down() -> None:
    metrics = MergedMetrics()
    metrics.counter(UPSTREAM_RQ_RETRY).value = 1
    metrics.add(1, [(UPSTREAM_RQ_RETRY, 10)])
    metrics.add(2, [(UPSTREAM_RQ_RETRY, 5)])
    metrics.add(2, [(UPSTREAM_RQ_RETRY, 6)])
    metrics.forget(1)
    metrics.add(3, [(UPSTREAM_RQ_RETRY, 1)])
    assert dict(metrics.samples())[UPSTREAM_RQ_RETRY] == 1 + 10 + 6 + 1


def test_gauges_are_those_of_the_workers_that_live() -> None:
    metrics = MergedMetrics()
    metrics.add(1, [(DOWNSTREAM_CX_ACTIVE, 10)])
    metrics.add(2, [(DOWNSTREAM_CX_ACTIVE, 5)])
    metrics.forget(1)
    assert dict(metrics.samples())[DOWNSTREAM_CX_ACTIVE] == 5


def test_the_endpoints_of_a_cluster_are_counted_once() -> None:
    metrics = MergedMetrics()
    metrics.add(1, [(MEMBERSHIP_TOTAL, 3), (MEMBERSHIP_HEALTHY, 3), (EJECTIONS_ACTIVE, 0)])
    metrics.add(2, [(MEMBERSHIP_TOTAL, 3), (MEMBERSHIP_HEALTHY, 2), (EJECTIONS_ACTIVE, 1)])
    found = dict(metrics.samples())
    assert (found[MEMBERSHIP_TOTAL], found[MEMBERSHIP_HEALTHY], found[EJECTIONS_ACTIVE]) == (3, 2, 1)


def test_the_proxy_began_when_its_supervisor_did() -> None:
    metrics = MergedMetrics()
    metrics.read(PROCESS_START, lambda: 1000.0)
    metrics.add(1, [(PROCESS_START, 1001.0)])
    assert dict(metrics.samples())[PROCESS_START] == 1000.0


def test_series_with_labels_of_their_own_add_up_over_workers_and_their_successors(stats: MergedStats) -> None:
    def custom(requests: int) -> StatsSnapshot:
        return StatsSnapshot([], [], [], [MetricCounts(REQUESTS_TOTAL, ("a",), ("b",), [], requests)])

    stats.add(1, custom(3))
    stats.add(2, custom(4))
    stats.add(1, custom(5))
    stats.forget(1)
    stats.add(1, custom(1))
    assert [(series.names, series.values, series.total) for series in stats.custom_series()] == [(("a",), ("b",), 10)]
