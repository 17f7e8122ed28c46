"""What each stage of a request costs in our own code, in nanoseconds, against the costs that are written down.

A machine's speed does not matter: costs are kept as multiples of a calibration loop, which is measured in turns with
the stages. One that costs a fifth more than it did is marked, and the exit code is 1.

    python benchmarks/stages.py [--update] [--rounds 80]

`--update` writes benchmarks/stages.json, for this version of Python: in the commit that means a stage to cost so much.
"""

import argparse
import asyncio
import gc
import json
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from hot_path import CLUSTER, HotPath

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.message import RequestHead, ResponseHead
from pymesh.proxy.codec.request_parser import RequestParser
from pymesh.proxy.codec.response_parser import PiecewiseSink, ResponseParser
from pymesh.proxy.codec.serializer import STATUS_LINES, write_head, write_request_head
from pymesh.proxy.telemetry.direction import OUTBOUND
from pymesh.proxy.upstream.load_balancer import NO_CONTEXT

BASELINE = Path(__file__).with_name("stages.json")
TOLERANCE = 1.2
BATCH = 200  # calls in one measurement
ROUNDS = 80

GET = (
    b"GET /products/1?from=list HTTP/1.1\r\nHost: payment\r\nUser-Agent: python-requests/2.32.3\r\n"
    b"Accept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n"
)
OK = (
    b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Mon, 23 Nov 2026 13:02:01 GMT\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 1024\r\nConnection: keep-alive\r\n\r\n" + b"x" * 1024
)

# Of a number: makes the inputs of so many calls, which is not measured, and returns what is to be called with each.
Prepare = Callable[[int], tuple[Callable[[Any], object], list[Any]]]
Costs = Mapping[str, float]  # as multiples of the calibration's


class Sink(PiecewiseSink):
    """For both parsers. Keeps the head."""

    head: Any = None

    def on_request_head(self, head: Any) -> None:
        self.head = head

    def on_body(self, data: bytes) -> None: ...

    def on_end(self, trailers: HeaderMap | None) -> None: ...

    on_response_head = on_interim_head = on_request_head
    on_request_body = on_response_body = on_body
    on_request_end = on_response_end = on_end


class Waiter:
    """Of the connection pool: there always is a connection, so nobody calls it."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="write down what the stages cost now")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of which the median counts ({ROUNDS})")
    args = parser.parse_args()
    loop = asyncio.new_event_loop()
    try:
        costs = measure_stages(stages(HotPath(loop, OK)), args.rounds)
    finally:
        loop.close()
    version = ".".join(platform.python_version_tuple()[:2])
    written = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    if args.update:
        written[version] = {name: round(cost, 3) for name, cost in costs.items()}
        BASELINE.write_text(json.dumps(written, indent=2, sort_keys=True) + "\n")
    unit = min(_measure(calibrate, [None] * BATCH) for _ in range(args.rounds)) / BATCH
    rows = list(compare(costs, written.get(version, {}), unit))
    print("| stage | ns | baseline | change |", "|---|---|---|---|", *(row for row, _ in rows), sep="\n")
    return 1 if any(is_slower for _, is_slower in rows) else 0


def measure_stages(prepared: Mapping[str, Prepare], rounds: int, batch: int = BATCH) -> Costs:
    """The median of the rounds, each measurement between two of the calibration: a machine changes its speed often."""
    costs: dict[str, list[float]] = {name: [] for name in prepared}
    gc.disable()
    try:
        for _ in range(rounds):
            before = _measure(calibrate, [None] * batch)
            for name, prepare in prepared.items():
                cost = _measure(*prepare(batch))
                after = _measure(calibrate, [None] * batch)
                costs[name].append(2 * cost / (before + after))
                before = after
            gc.collect()
    finally:
        gc.enable()
    return {name: median(multiples) for name, multiples in costs.items()}


def _measure(call: Callable[[Any], object], inputs: list[Any]) -> int:
    """CPU time of this thread in nanoseconds: what the machine does meanwhile for others is not in it."""
    clock = time.thread_time_ns
    start = clock()
    for argument in inputs:
        call(argument)
    return clock() - start


def compare(costs: Costs, baseline: Costs, unit: float) -> Iterator[tuple[str, bool]]:
    """A table's row for each stage, and whether it has become slower by more than a fifth. `unit`: nanoseconds."""
    for name, multiple in costs.items():
        known = baseline.get(name)
        change = None if known is None else multiple / known
        is_slower = change is not None and change > TOLERANCE
        expected = "–" if known is None else f"{known * unit:.0f}"
        text = "–" if change is None else f"{change - 1:+.0%}{' SLOWER' if is_slower else ''}"
        yield f"| {name} | {multiple * unit:.0f} | {expected} | {text} |", is_slower


# the stages, in the order of a request


def stages(path: HotPath) -> dict[str, Prepare]:
    """By name. `path` is used up by them: only one measurement at a time."""
    manager, connection = path.manager, path.connection
    infos: list[Any] = []
    report, manager.on_request_complete = manager.on_request_complete, lambda info, direction: infos.append(info)
    path.exchange(GET)
    manager.on_request_complete = report
    info = infos[0]
    table, cluster = manager.inline_routes, manager.context.clusters.get(CLUSTER)
    assert table is not None
    assert cluster is not None
    pool, waiter, upstream = path.upstream.endpoint.pool, Waiter(), path.upstream
    stream, parser, sink = _Request(), RequestParser(Sink()), Sink()  # type: ignore[arg-type]
    response_parser = ResponseParser(sink)  # type: ignore[arg-type]
    known_parser, known_response_parser = RequestParser(Sink()), ResponseParser(sink)  # type: ignore[arg-type]

    def apply_request_headers(head: RequestHead) -> None:
        manager.request_headers.apply(head, connection.remote_ip, connection.scheme)

    def use_pool(_: None) -> None:
        pool.acquire(waiter)
        pool.on_idle(upstream)

    def parse_response(data: bytes) -> None:
        response_parser.expect(b"GET")
        response_parser.feed(data)

    def apply_response_headers(head: ResponseHead) -> None:
        manager.response_headers.apply(head.headers, stream.headers, False)

    def parse_known_response(data: bytes) -> None:
        known_response_parser.expect(b"GET")
        known_response_parser.feed(data)

    def write_request(headers: HeaderMap) -> None:
        write_request_head(b"GET", b"/products/1?from=list", headers)

    def write_response(headers: HeaderMap) -> None:
        write_head(STATUS_LINES[200], headers)

    return {
        "parse request": lambda n: (parser.feed, varied(GET, b"User-Agent: ", n)),
        "parse request, known head": lambda n: (known_parser.feed, [GET] * n),
        "request headers": lambda n: (apply_request_headers, [request() for _ in range(n)]),
        "route": lambda n: (lambda _: table.route(stream, 0.5), [None] * n),
        "choose endpoint": lambda n: (cluster.choose_endpoint, [NO_CONTEXT] * n),
        "connection pool": lambda n: (use_pool, [None] * n),
        "write request head": lambda n: (write_request, [request().headers] * n),
        "parse response": lambda n: (parse_response, varied(OK, b"Server: ", n)),
        "parse response, known head": lambda n: (parse_known_response, [OK] * n),
        "response headers": lambda n: (apply_response_headers, [response() for _ in range(n)]),
        "write response head": lambda n: (write_response, [response().headers] * n),
        "telemetry": lambda n: (lambda _: report(info, OUTBOUND), [None] * n),
        "the whole request": lambda n: (path.exchange, [GET] * n),
    }


def varied(message: bytes, field: bytes, n: int) -> list[bytes]:
    """No two with the same head."""
    return [message.replace(field, b"%b%d " % (field, number)) for number in range(n)]


class _Request:
    """What a route is looked up by."""

    def __init__(self) -> None:
        head = request()
        self.authority, self.path, self.method, self.scheme = b"payment", head.path, head.method, b"http"
        self.headers, self.is_tls = head.headers, False


def request() -> RequestHead:
    sink = Sink()
    RequestParser(sink).feed(GET)  # type: ignore[arg-type]
    head: RequestHead = sink.head
    return head


def response() -> ResponseHead:
    sink = Sink()
    parser = ResponseParser(sink)  # type: ignore[arg-type]
    parser.expect(b"GET")
    parser.feed(OK)
    head: ResponseHead = sink.head
    return head


class _Item:
    """What the calibration does is what a proxy does: attributes, dicts, calls, bytes."""

    __slots__ = ("name", "values")

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.values = {b"host": b"payment", b"accept": b"*/*"}

    def value(self, name: bytes) -> bytes | None:
        return self.values.get(name)


def calibrate(_: None) -> bytes:
    item = _Item(b"host")
    for name in (b"host", b"accept", b"te", b"host"):
        if (value := item.value(name)) is not None:
            item.values[b"x-" + name] = value
    return b"\r\n".join([b"%b: %b" % pair for pair in item.values.items()])


if __name__ == "__main__":
    sys.exit(main())
