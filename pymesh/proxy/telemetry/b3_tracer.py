"""B3, Zipkin's trace context: ids and the sampling decision of a stream. No span is made here.

https://github.com/openzipkin/b3-propagation
"""

import random
import re
from typing import NamedTuple

from pymesh.proxy.telemetry.stream_info import MutableHeaders, StreamInfo
from pymesh.proxy.telemetry.tracer import Tracer

_TRACE_ID = re.compile(rb"[0-9a-f]{16}(?:[0-9a-f]{16})?")
_SPAN_ID = re.compile(rb"[0-9a-f]{16}")
_YES = (b"1", b"d", b"true")


class _Context(NamedTuple):
    """What the caller says; `is_sampled` is None where it left that to us."""

    trace_id: bytes
    span_id: bytes
    is_sampled: bool | None


class B3Tracer:
    """Continues the caller's trace, or starts one and samples `percent` of them. As Envoy's: the next hop gets the
    x-b3-* headers, whichever of its two forms the caller used; `also_w3c`: a traceparent comes and goes, too."""

    def __init__(
        self, percent: float, has_short_ids: bool, also_w3c: bool, random_source: random.Random | None = None
    ) -> None:
        source = random_source or random.Random()
        self._percent = percent
        self._random = source.random
        self._bits = source.getrandbits
        self._id_bits = 64 if has_short_ids else 128
        self._w3c = Tracer(percent, source) if also_w3c else None

    def start(self, info: StreamInfo, headers: MutableHeaders) -> None:
        """Fill the trace fields of `info` and write what the next hop gets."""
        context = _read(headers)
        if context.trace_id and context.span_id:
            info.trace_id, info.parent_span_id = context.trace_id.decode(), context.span_id.decode()
            info.span_id = self._id(64)
            info.sampled = self._is_sampled(context)
        elif self._w3c is not None:
            self._w3c.start(info, headers)
        else:
            info.trace_id, info.span_id = self._id(self._id_bits), self._id(64)
            info.sampled = self._is_sampled(context)
        self._write(info, headers)

    def _is_sampled(self, context: _Context) -> bool:
        return self._random() * 100.0 < self._percent if context.is_sampled is None else context.is_sampled

    def _id(self, bits: int) -> str:
        return (self._bits(bits) or 1).to_bytes(bits // 8).hex()

    def _write(self, info: StreamInfo, headers: MutableHeaders) -> None:
        headers.remove(b"b3")
        headers.set(b"x-b3-traceid", info.trace_id.encode())
        headers.set(b"x-b3-spanid", info.span_id.encode())
        if info.parent_span_id:
            headers.set(b"x-b3-parentspanid", info.parent_span_id.encode())
        else:
            headers.remove(b"x-b3-parentspanid")
        headers.set(b"x-b3-sampled", b"1" if info.sampled else b"0")
        if self._w3c is not None:
            flags = "01" if info.sampled else "00"
            trace_id = info.trace_id.rjust(32, "0")
            headers.set(b"traceparent", f"00-{trace_id}-{info.span_id}-{flags}".encode())


def _read(headers: MutableHeaders) -> _Context:
    single = headers.get(b"b3")
    if single is not None:
        parts = single.lower().split(b"-")
        if len(parts) == 1:  # the decision alone
            return _Context(b"", b"", parts[0] in _YES)
        return _valid(parts[0], parts[1], parts[2] if len(parts) > 2 else None)
    sampled = b"1" if headers.get(b"x-b3-flags") == b"1" else headers.get(b"x-b3-sampled")
    return _valid(headers.get(b"x-b3-traceid") or b"", headers.get(b"x-b3-spanid") or b"", sampled)


def _valid(trace_id: bytes, span_id: bytes, sampled: bytes | None) -> _Context:
    is_sampled = None if not sampled else sampled.lower() in _YES
    trace_id, span_id = trace_id.lower(), span_id.lower()
    is_valid = _TRACE_ID.fullmatch(trace_id) and _SPAN_ID.fullmatch(span_id) and trace_id.strip(b"0")
    return _Context(trace_id, span_id, is_sampled) if is_valid else _Context(b"", b"", is_sampled)
