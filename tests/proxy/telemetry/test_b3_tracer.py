import random

import pytest

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.telemetry.b3_tracer import B3Tracer
from pymesh.proxy.telemetry.stream_info import StreamInfo

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def start(headers=(), percent=0.0, **options):
    """What the stream is told and what the next hop gets."""
    info, found = StreamInfo(0.0, 0.0), HeaderMap([(k.encode(), v.encode()) for k, v in dict(headers).items()])
    settings = {"has_short_ids": False, "also_w3c": False} | options
    B3Tracer(percent, **settings, random_source=random.Random(1)).start(info, found)
    return info, {name.decode(): value.decode() for name, value in found.items()}


@pytest.mark.parametrize(("percent", "sampled"), [(0.0, "0"), (100.0, "1")])
def test_a_trace_begins_here(percent, sampled) -> None:
    info, headers = start(percent=percent)
    assert (len(info.trace_id), len(info.span_id), info.parent_span_id) == (32, 16, "")
    assert headers == {"x-b3-traceid": info.trace_id, "x-b3-spanid": info.span_id, "x-b3-sampled": sampled}
    assert info.sampled is (sampled == "1")


@pytest.mark.parametrize(
    "headers",
    [
        {"x-b3-traceid": TRACE, "x-b3-spanid": SPAN, "x-b3-parentspanid": "1" * 16, "x-b3-sampled": "1"},
        {"x-b3-traceid": TRACE.upper(), "x-b3-spanid": SPAN, "x-b3-flags": "1"},
        {"b3": f"{TRACE}-{SPAN}-1-05e3ac9a4f6e3b90"},
        {"b3": f"{TRACE}-{SPAN}-d"},
    ],
)
def test_the_callers_trace_goes_on_in_either_form(headers) -> None:
    info, found = start(headers)
    assert (info.trace_id, info.parent_span_id, info.sampled) == (TRACE, SPAN, True)
    assert info.span_id != SPAN
    assert found["x-b3-traceid"] == TRACE
    assert (found["x-b3-spanid"], found["x-b3-parentspanid"]) == (info.span_id, SPAN)
    assert found["x-b3-sampled"] == "1"
    assert "b3" not in found


@pytest.mark.parametrize(
    ("headers", "is_sampled"), [({"x-b3-sampled": "0"}, False), ({"b3": "0"}, False), ({"b3": "1"}, True), ({}, True)]
)
def test_a_decision_without_a_trace_is_obeyed(headers, is_sampled) -> None:
    assert start(headers, percent=100.0)[0].sampled is is_sampled


@pytest.mark.parametrize("trace", ["", "xyz", "0" * 32, TRACE[:-1]])
def test_a_trace_that_is_none_is_begun_anew(trace) -> None:
    info, headers = start({"x-b3-traceid": trace, "x-b3-spanid": SPAN, "x-b3-parentspanid": SPAN})
    assert info.trace_id not in ("", trace)
    assert info.parent_span_id == ""
    assert "x-b3-parentspanid" not in headers


def test_ids_may_have_64_bits() -> None:
    assert len(start(has_short_ids=True)[0].trace_id) == 16


def test_a_traceparent_is_nothing_to_b3_alone() -> None:
    parent = f"00-{TRACE}-{SPAN}-01"
    info, headers = start({"traceparent": parent})
    assert info.trace_id != TRACE
    assert headers["traceparent"] == parent


def test_with_w3c_a_traceparent_comes_and_goes() -> None:
    info, headers = start({"traceparent": f"00-{TRACE}-{SPAN}-01"}, also_w3c=True)
    assert (info.trace_id, info.parent_span_id, info.sampled) == (TRACE, SPAN, True)
    assert headers["traceparent"] == f"00-{TRACE}-{info.span_id}-01"
    assert headers["x-b3-traceid"] == TRACE
    short, headers = start({"x-b3-traceid": SPAN, "x-b3-spanid": SPAN, "traceparent": "x"}, also_w3c=True)
    assert headers["traceparent"] == f"00-{'0' * 16}{SPAN}-{short.span_id}-00"
