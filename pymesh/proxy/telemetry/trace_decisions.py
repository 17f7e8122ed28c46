"""Ways to decide on traces other than a tracer's own; each starts one in a tracer's stead."""

import re
from collections.abc import Callable, Iterator

from pymesh.proxy.telemetry.stream_info import MutableHeaders, StreamInfo

Start = Callable[[StreamInfo, MutableHeaders], None]

_REQUEST_ID = b"x-request-id"
_UUID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PLACE = 14  # of the digit that is the version of a UUID
_SAMPLED = b"9"
_MARKS = b"9ab"  # sampled, forced by a proxy, forced by a client


class RequestIdSampling:
    """`percent` of the request ids are sampled, whichever proxy asks; the id is marked, so that later proxies trace the
    request whatever their own percentage is. What has no UUID is not sampled.

    `never` and `always` start traces whose context, if the request has none, has that decision.
    https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/request_id/uuid/v3/uuid.proto
    """

    def __init__(self, percent: float, never: Start, always: Start) -> None:
        self._of_10000 = round(percent * 100.0)
        self._never = never
        self._always = always

    def start(self, info: StreamInfo, headers: MutableHeaders) -> None:
        (self._always if self._is_sampled(headers) else self._never)(info, headers)

    def _is_sampled(self, headers: MutableHeaders) -> bool:
        request_id = (headers.get(_REQUEST_ID) or b"").lower()
        if _UUID.fullmatch(request_id) is None:
            return False
        if request_id[_PLACE] in _MARKS:
            return True
        if int(request_id[:8], 16) % 10_000 >= self._of_10000:
            return False
        headers.set(_REQUEST_ID, request_id[:_PLACE] + _SAMPLED + request_id[_PLACE + 1 :])
        return True


class UnpropagatedTraces:
    """Traces of which the next hop hears nothing: it gets the trace headers of the request, if there are any."""

    def __init__(self, start: Start) -> None:
        self._start = start

    def start(self, info: StreamInfo, headers: MutableHeaders) -> None:
        self._start(info, _Unwritten(headers))


class _Unwritten:
    """Headers that a tracer may read."""

    def __init__(self, headers: MutableHeaders) -> None:
        self.get = headers.get
        self.get_joined = headers.get_joined
        self._headers = headers

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._headers)

    def set(self, name: bytes, value: bytes) -> None:
        pass

    __setitem__ = set

    def remove(self, name: bytes) -> None:
        pass
