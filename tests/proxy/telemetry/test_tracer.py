import random

import pytest

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.telemetry.stream_info import StreamInfo
from pymesh.proxy.telemetry.tracer import Tracer

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
SAMPLED = f"00-{TRACE}-{PARENT}-01".encode()


def start(tracer: Tracer, headers: HeaderMap) -> StreamInfo:
    info = StreamInfo(0.0, 0.0)
    tracer.start(info, headers)
    return info


def test_a_caller_s_trace_is_continued_under_a_new_span() -> None:
    headers = HeaderMap([(b"traceparent", SAMPLED), (b"tracestate", b"vendor=1")])
    info = start(Tracer(percent=0.0), headers)
    assert (info.trace_id, info.parent_span_id, info.sampled) == (TRACE, PARENT, True)
    assert info.span_id != PARENT
    assert headers.get(b"traceparent") == f"00-{TRACE}-{info.span_id}-01".encode()
    assert headers.get(b"tracestate") == b"vendor=1"


def test_a_caller_s_decision_not_to_sample_holds() -> None:
    headers = HeaderMap([(b"traceparent", f"00-{TRACE}-{PARENT}-02".encode())])
    assert not start(Tracer(percent=100.0), headers).sampled
    assert headers.get(b"traceparent", b"").endswith(b"-00")


def test_a_later_version_may_carry_more_fields() -> None:
    headers = HeaderMap([(b"traceparent", f"cc-{TRACE}-{PARENT}-01-what-the-future-brings".encode())])
    assert start(Tracer(), headers).trace_id == TRACE


def test_a_root_is_traced_without_a_parent_and_propagated_even_if_it_is_not_sampled() -> None:
    headers = HeaderMap()
    info = start(Tracer(percent=0.0), headers)
    assert not info.sampled
    assert info.parent_span_id == ""
    assert headers.get(b"traceparent") == f"00-{info.trace_id}-{info.span_id}-00".encode()


def test_the_sampled_share_is_what_was_asked_for() -> None:
    tracer = Tracer(percent=25.0, random_source=random.Random(7))
    assert 220 < sum(start(tracer, HeaderMap()).sampled for _ in range(1000)) < 280


def test_a_random_source_with_a_seed_gives_the_same_ids() -> None:
    first, second = (start(Tracer(random_source=random.Random(1)), HeaderMap()) for _ in range(2))
    assert (first.trace_id, first.span_id) == (second.trace_id, second.span_id)
    assert (len(first.trace_id), len(first.span_id)) == (32, 16)


@pytest.mark.parametrize(
    "traceparent",
    [
        b"",
        b"garbage",
        f"00-{TRACE}-{PARENT}".encode(),
        f"00-{TRACE.upper()}-{PARENT}-01".encode(),
        f"00-{'0' * 32}-{PARENT}-01".encode(),
        f"00-{TRACE}-{'0' * 16}-01".encode(),
        f"ff-{TRACE}-{PARENT}-01".encode(),
        SAMPLED + b"-more",
        SAMPLED + b"\xff",
    ],
)
def test_an_invalid_traceparent_starts_a_new_trace_without_the_old_state(traceparent: bytes) -> None:
    headers = HeaderMap([(b"traceparent", traceparent), (b"tracestate", b"vendor=1")])
    info = start(Tracer(), headers)
    assert info.trace_id != TRACE
    assert info.parent_span_id == ""
    assert b"tracestate" not in headers
