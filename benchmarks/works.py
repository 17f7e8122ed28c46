"""What is measured: each work's load, its contestants' setting, and its target."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter

from contest import LARGE_PATH, PLAIN_HOST, Contest
from contestants import Setting, pair, pair_with_log, plain, plain_with_log
from measurement import Load, Sample
from wrk import Wrk

PAIR_HOST = "payment"

_CPU = attrgetter("cpu")


@dataclass(frozen=True)
class Work:
    """`target`: what pymesh's figure may be at most, divided by Envoy's. A load counts its amount in `unit`."""

    name: str
    title: str
    setting: Setting
    load: Callable[[Contest], Load]
    target: float
    unit: str = "request"
    figure: Callable[[Sample], float] = _CPU
    figure_unit: str = "µs CPU/request"


def _get(host: str) -> Callable[[Contest], Load]:
    return lambda contest: Wrk(host)


def _post(contest: Contest) -> Load:
    script = contest.directory / "post.lua"
    script.write_text('wrk.method = "POST"\nwrk.body = string.rep("x", 16384)\n')
    return Wrk(PLAIN_HOST, script=script)


def _large(contest: Contest) -> Load:
    return Wrk(PLAIN_HOST, path=LARGE_PATH)


def _new_connections(contest: Contest) -> Load:
    return Wrk(PLAIN_HOST, headers=("Connection: close",))


WORKS = (
    Work("plain", "plain HTTP, GET 1 KB", plain, _get(PLAIN_HOST), target=0.75),
    Work("plain-log", "plain HTTP, GET 1 KB, access log", plain_with_log, _get(PLAIN_HOST), target=0.75),
    Work("mtls", "mTLS, both proxies together, GET 1 KB", pair, _get(PAIR_HOST), target=0.75),
    Work("mtls-log", "mTLS, both proxies together, access log", pair_with_log, _get(f"{PAIR_HOST}-log"), target=0.75),
    Work("post", "POST of 16 KB, response of 1 KB", plain, _post, target=1.0),
    Work("large", "response of 1 MB", plain, _large, 1.0, unit="MB", figure_unit="µs CPU/MB"),
    Work("connect", "a new connection for each request", plain, _new_connections, target=1.0),
)
