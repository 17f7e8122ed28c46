"""Decisions on traces by the request id, and traces of which the next hop hears nothing."""

import pytest

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.telemetry.stream_info import StreamInfo
from pymesh.proxy.telemetry.trace_decisions import RequestIdSampling, UnpropagatedTraces
from pymesh.proxy.telemetry.tracer import Tracer

SPAN = "00f067aa0ba902b7"
TRACEPARENT = f"00-4bf92f3577b34da6a3ce929d0e0e4736-{SPAN}-01"


def uuid(first: int, mark: str = "4") -> str:
    return f"{first:08x}-0000-{mark}000-8000-000000000000"


def sample(percent: float, request_id: str, **headers: str) -> tuple[bool, str]:
    """Whether it is, and the request id that the next hop gets."""
    fields = HeaderMap([(k.encode(), v.encode()) for k, v in {"x-request-id": request_id, **headers}.items()])
    info = StreamInfo(0.0, 0.0)
    RequestIdSampling(percent, Tracer(0.0).start, Tracer(100.0).start).start(info, fields)
    assert fields[b"traceparent"].endswith(b"01" if info.sampled else b"00")
    return info.sampled, fields[b"x-request-id"].decode()


@pytest.mark.parametrize(("first", "is_sampled"), [(0, True), (2499, True), (2500, False), (12499, True)])
def test_so_many_ids_are_sampled_and_marked(first: int, is_sampled: bool) -> None:
    assert sample(25.0, uuid(first)) == (is_sampled, uuid(first, "9" if is_sampled else "4"))


@pytest.mark.parametrize("mark", ["9", "a", "b"])
def test_a_marked_id_is_traced_whatever_the_percentage(mark: str) -> None:
    assert sample(0.0, uuid(7, mark)) == (True, uuid(7, mark))


@pytest.mark.parametrize("request_id", ["", "7", "zzzzzzzz-0000-4000-8000-000000000000", uuid(1) + "0"])
def test_what_is_no_uuid_is_not_sampled(request_id: str) -> None:
    assert sample(100.0, request_id) == (False, request_id)


def test_a_trace_that_goes_on_keeps_its_decision() -> None:
    assert sample(0.0, uuid(0), traceparent=TRACEPARENT)[0] is True


@pytest.mark.parametrize("given", [{}, {"traceparent": TRACEPARENT}])
def test_the_next_hop_hears_nothing_of_an_unpropagated_trace(given: dict[str, str]) -> None:
    fields = HeaderMap([(k.encode(), v.encode()) for k, v in given.items()])
    info = StreamInfo(0.0, 0.0)
    UnpropagatedTraces(Tracer(100.0).start).start(info, fields)
    assert {name.decode(): value.decode() for name, value in fields.items()} == given
    assert info.sampled
    assert info.parent_span_id == (SPAN if given else "")
