"""What is measured: each work's load, the settings of its contestants, and its target."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter

import spread
from contest import LARGE_PATH, PLAIN_HOST, UNIQUE_PATH
from contestants import (
    ENVOY,
    PYMESH_ONE_ROUTE,
    Setting,
    Started,
    many_routes,
    pair,
    pair_with_log,
    plain,
    plain_with_log,
    python_peers,
    server_side,
    tcp,
)
from generators import ConstantRate, Handshakes, TcpMessages
from measurement import Load, Sample
from wrk import Wrk

PAIR_HOST = "payment"
_PROBE_SECONDS = 2
_UNIQUE_REQUESTS = """
local sent = 0
function request()
  sent = sent + 1
  return wrk.format(nil, nil, {Host = wrk.headers["Host"], ["X-Request"] = tostring(sent)})
end
"""


@dataclass(frozen=True)
class Work:
    """`target`: what pymesh's figure may be at most, divided by that of `base`. A load counts its amount in `unit`."""

    name: str
    title: str
    settings: tuple[Setting, ...]
    load: Callable[[Started], Load]
    target: float
    unit: str = "request"
    base: str = ENVOY
    figure: Callable[[Sample], float] = attrgetter("cpu")
    figure_unit: str = ""

    @property
    def figure_name(self) -> str:
        return self.figure_unit or f"CPU µs/{self.unit}"


def _get(host: str) -> Callable[[Started], Load]:
    return lambda started: Wrk(host)


def _unique(started: Started) -> Load:
    """wrk sends one request again and again; here a field differs each time, in the responses as well."""
    script = started.contest.directory / "unique.lua"
    script.write_text(_UNIQUE_REQUESTS)
    return Wrk(PLAIN_HOST, path=UNIQUE_PATH, script=script)


def _post(started: Started) -> Load:
    script = started.contest.directory / "post.lua"
    script.write_text('wrk.method = "POST"\nwrk.body = string.rep("x", 16384)\n')
    return Wrk(PLAIN_HOST, script=script)


def _large(started: Started) -> Load:
    return Wrk(PLAIN_HOST, path=LARGE_PATH)


def _tcp(started: Started) -> Load:
    return TcpMessages()


def _spread(started: Started) -> Load:
    return Wrk("any", script=spread.write_script(started.contest.directory / "spread.lua"))


def _connect(started: Started) -> Load:
    return Wrk(PLAIN_HOST, headers=("Connection: close",))


def _handshake(started: Started) -> Load:
    web = started.contest.web(has_log=False)
    return Handshakes(web.certificate, web.root)


def _half_rate(started: Started) -> Load:
    """Half of the rate at which Envoy is saturated on this machine now."""
    saturated = Wrk(PLAIN_HOST).run(started.envoy().port, _PROBE_SECONDS)
    return ConstantRate(PLAIN_HOST, round(saturated.amount / saturated.seconds / 2))


WORKS = (
    Work("plain", "plain HTTP, GET 1 KB", (plain, python_peers), _get(PLAIN_HOST), target=0.75),
    Work("plain-log", "plain HTTP, GET 1 KB, access log", (plain_with_log,), _get(PLAIN_HOST), target=0.75),
    Work("unique", "plain HTTP, GET 1 KB, no two heads alike", (plain,), _unique, target=0.75),
    Work("mtls", "mTLS, both proxies together, GET 1 KB", (pair,), _get(PAIR_HOST), target=0.75),
    Work("mtls-log", "mTLS, both proxies, access log", (pair_with_log,), _get(f"{PAIR_HOST}-log"), target=0.75),
    Work("post", "POST of 16 KB, response of 1 KB", (plain,), _post, target=1.0),
    Work("large", "response of 1 MB", (plain,), _large, target=1.0, unit="MB"),
    Work("tcp", "TCP, messages of 64 KB both ways", (tcp,), _tcp, target=1.0, unit="MB"),
    Work(
        "routes",
        "10,000 routes in 1,000 virtual hosts; ratio to 1 route",
        (many_routes,),
        _spread,
        target=1.1,
        base=PYMESH_ONE_ROUTE,
    ),
    Work("connect", "a new connection for each request", (plain,), _connect, target=1.0),
    Work("handshake", "a new mTLS connection for each request, server's proxy", (server_side,), _handshake, target=1.2),
    Work(
        "latency",
        "latency at half of Envoy's highest rate",
        (plain,),
        _half_rate,
        target=1.0,
        figure=attrgetter("p99"),
        figure_unit="p99 ms",
    ),
)
