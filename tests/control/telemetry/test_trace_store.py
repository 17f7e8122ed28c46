from collections.abc import Callable
from typing import Any

import pytest

from pymesh import otlp
from pymesh.control.telemetry.trace_store import MAX_SPANS, AmbiguousTraceError, TraceNotFoundError, TraceStore

Make = Callable[..., Any]

A, B = "a" * 32, "ab" + "b" * 30
ROOT, CHILD = "1" * 16, "2" * 16


@pytest.fixture
def store() -> TraceStore:
    return TraceStore()


def test_the_spans_of_a_trace_come_together_from_several_proxies(store: TraceStore, make_spans: Make) -> None:
    store.add(make_spans((A, CHILD, ROOT, 1002, 5), service="payment.default", status="503"))
    store.add(make_spans((A, ROOT, "", 1000, 10), service="web.default"))
    root, child = store.find(A)
    assert (root.span_id, root.service, root.kind, root.is_error) == (ROOT, "web.default", "client", False)
    assert (child.parent_span_id, child.service, child.is_error) == (ROOT, "payment.default", True)
    assert (child.start - root.start, child.duration) == (2_000, 5_000)


def test_the_list_shows_the_root_and_the_whole_duration_newest_first(store: TraceStore, make_spans: Make) -> None:
    store.add(make_spans((A, CHILD, ROOT, 1002, 18), service="payment.default", status="500"))
    store.add(make_spans((A, ROOT, "", 1000, 10), service="web.default"))
    store.add(make_spans((B, ROOT, "", 2000, 1)))
    newest, oldest = store.recent(10)
    assert newest.trace_id == B
    assert (oldest.name, oldest.service, oldest.status) == ("web.default/*", "web.default", "200")
    assert (oldest.duration, oldest.spans, oldest.is_error) == (20_000, 2, True)
    assert [summary.trace_id for summary in store.recent(1)] == [B]


def test_a_root_whose_parent_is_the_client_s_own_span_is_the_root(store: TraceStore, make_spans: Make) -> None:
    store.add(make_spans((A, ROOT, "9" * 16, 1000, 10), (A, CHILD, ROOT, 1000, 5)))
    (summary,) = store.recent(1)
    assert summary.duration == 10_000


def test_a_span_is_of_the_canonical_service_where_it_says_one(store: TraceStore, make_spans: Make) -> None:
    request = make_spans((A, ROOT, "", 1000, 10), service="web.shop")
    tags = {"istio.canonical_service": "web", "istio.namespace": "shop", "istio.canonical_revision": "v2"}
    for key, value in tags.items():
        request.resource_spans[0].scope_spans[0].spans[0].attributes.add(key=key).value.string_value = value
    store.add(request)
    (span,) = store.find(A)
    assert (span.service, span.namespace, span.revision) == ("web", "shop", "v2")


def test_a_span_that_is_sent_again_is_there_once(store: TraceStore, make_spans: Make) -> None:
    for _ in range(2):
        store.add(make_spans((A, ROOT, "", 1000, 10)))
    assert len(store.find(A)) == 1


def test_a_prefix_finds_a_trace_unless_it_fits_two(store: TraceStore, make_spans: Make) -> None:
    store.add(make_spans((A, ROOT, "", 1000, 10), (B, ROOT, "", 1000, 10)))
    assert store.find("ab")[0].trace_id == B
    with pytest.raises(AmbiguousTraceError, match="2 traces begin with a"):
        store.find("a")
    with pytest.raises(TraceNotFoundError):
        store.find("c")
    with pytest.raises(TraceNotFoundError):
        store.find("")


def test_the_oldest_trace_goes_when_there_are_too_many(make_spans: Make) -> None:
    store = TraceStore(max_traces=2)
    store.add(make_spans(*((f"{i:032x}", ROOT, "", 1000 + i, 1) for i in range(1, 4))))
    assert [int(summary.trace_id, 16) for summary in store.recent(10)] == [3, 2]
    assert store.dropped == 1


def test_the_oldest_trace_goes_when_they_are_too_big(make_spans: Make) -> None:
    store = TraceStore(max_bytes=300)
    store.add(make_spans(*((f"{i:032x}", ROOT, "", 1000 + i, 1) for i in range(1, 11))))
    assert 1 <= len(store) <= 3
    assert store.dropped == 10 - len(store)


def test_a_trace_has_a_bound_of_its_own(store: TraceStore, make_spans: Make) -> None:
    store.add(make_spans(*((A, f"{i:016x}", "", 1000, 1) for i in range(MAX_SPANS + 1))))
    assert len(store.find(A)) == MAX_SPANS
    assert (store.received, store.dropped) == (MAX_SPANS + 1, 1)


def test_a_span_without_ids_is_rejected(store: TraceStore, make_spans: Make) -> None:
    assert store.add(make_spans(("", ROOT, "", 1, 1), (A, "", "", 1, 1))) == 2
    assert len(store) == 0
    assert store.add(otlp.ExportTraceServiceRequest()) == 0
