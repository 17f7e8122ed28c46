"""W3C trace context: ids and the sampling decision of a stream. No span is made here.

https://www.w3.org/TR/trace-context/
"""

import random
import re
import struct

from pymesh.proxy.telemetry.stream_info import MutableHeaders, StreamInfo
from pymesh.proxy.telemetry.tracing_config import DEFAULT_SAMPLING

# Only a version later than 00 may have more fields, and there is no version ff.
_TRACEPARENT = re.compile(
    rb"(?:00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}|(?!00|ff)[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?)"
)
_SAMPLED_DIGITS = "13579bdf"  # last hex digit of the flags with the sampled bit set
_NO_TRACE = "0" * 32
_NO_SPAN = "0" * 16

# The ids of so many traces are made at once: a loop over them would cost five times as much.
_BATCH = 64
_split = struct.Struct("32s16s" * _BATCH).unpack
_JOINED = b"00-%b-%b-00 " * _BATCH


class Tracer:
    """Continues the caller's trace, or starts one and samples `percent` of them.

    A trace that is not sampled is propagated too, so that no later hop decides anew. `random_source` is for tests.
    """

    def __init__(self, percent: float = DEFAULT_SAMPLING, random_source: random.Random | None = None) -> None:
        self.percent = percent
        source = random_source or random.Random()
        self._random = source.random
        self._bits = source.getrandbits
        self._roots: list[tuple[str, str, bytes]] = []  # trace id, span id, traceparent of one that is not sampled

    def start(self, info: StreamInfo, headers: MutableHeaders) -> None:
        """Fill the trace fields of `info` and write the `traceparent` that the next hop gets.

        `tracestate` is passed on as it is, unless it belonged to a traceparent that is invalid.
        """
        traceparent = headers.get(b"traceparent")
        if traceparent is not None and self._continue(info, traceparent):
            flags = "01" if info.sampled else "00"
            headers.set(b"traceparent", f"00-{info.trace_id}-{info.span_id}-{flags}".encode())
            return
        if not self._roots:
            self._make_roots()
        info.trace_id, info.span_id, root = self._roots.pop()
        random = self._random  # a local is called faster
        info.sampled = random() * 100.0 < self.percent
        if info.sampled:
            root = root[:-2] + b"01"
        if traceparent is None:
            headers[b"traceparent"] = root
        else:
            headers.remove(b"tracestate")
            headers.set(b"traceparent", root)

    def _continue(self, info: StreamInfo, traceparent: bytes) -> bool:
        if _TRACEPARENT.fullmatch(traceparent) is None:
            return False
        text = traceparent.decode("ascii", "replace")
        trace_id, parent_id = text[3:35], text[36:52]
        if trace_id == _NO_TRACE or parent_id == _NO_SPAN:
            return False
        info.trace_id = trace_id
        info.parent_span_id = parent_id
        info.span_id = self._bits(64).to_bytes(8).hex()
        info.sampled = text[54] in _SAMPLED_DIGITS
        return True

    def _make_roots(self) -> None:
        digits = self._bits(192 * _BATCH).to_bytes(24 * _BATCH).hex()
        trace_ids = [digits[i : i + 32] for i in range(0, 48 * _BATCH, 48)]
        span_ids = [digits[i : i + 16] for i in range(32, 48 * _BATCH, 48)]
        traceparents = (_JOINED % _split(digits.encode())).split()
        self._roots = list(zip(trace_ids, span_ids, traceparents, strict=True))
