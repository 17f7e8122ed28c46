"""What a case is made of: the setup, and a script of steps. Data only; player.py plays it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

OUTBOUND, INBOUND, GATEWAY = "outbound", "inbound", "gateway"

# The clusters, for `Setup.routes`.
SHOP, OTHER = "outbound|80||shop.default.svc.cluster.local", "outbound|80||other.default.svc.cluster.local"


@dataclass(frozen=True)
class Setup:
    """The listener that a case talks to, as `pymesh control` translates it, and what is merged into its xDS.

    `istio` is further YAML (a VirtualService, a DestinationRule), instead of the plain routing to the service `shop`
    (and of its one route at a gateway); `mesh` is MeshConfig in YAML. The other fields are hand-written xDS for what
    Istio's YAML does not reach: `hcm` goes into the HttpConnectionManager, `routes` replaces the routes, `route` goes
    into the RouteAction of each route that forwards, `virtual_host` and `cluster` into each of those. `endpoints` is
    how many the service has; they are `shop-1`, ... in steps, and that of the second service `other-1`. An endpoint in
    `refusing` is a closed port.
    """

    at: str = OUTBOUND
    istio: str = ""
    mesh: str = ""
    hcm: Mapping[str, Any] = field(default_factory=dict)
    routes: tuple[Mapping[str, Any], ...] = ()
    route: Mapping[str, Any] = field(default_factory=dict)
    virtual_host: Mapping[str, Any] = field(default_factory=dict)
    cluster: Mapping[str, Any] = field(default_factory=dict)
    endpoints: int = 1
    refusing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """`verb` is a method of the player; see the functions below for what each does."""

    verb: str
    data: Any = None
    on: Any = None

    def __str__(self) -> str:
        return f"{self.verb}({self.data if self.on is None else f'{self.data}, on={self.on}'})"


@dataclass(frozen=True)
class Case:
    """`name` says what is expected of both; it is the test's id and stands in differences.yaml."""

    name: str
    setup: Setup
    steps: tuple[Step, ...]


def case(name: str, *steps: Step | bytes, setup: Setup | None = None) -> Case:
    """Bytes among the steps are sent by the client."""
    return Case(name, setup or Setup(), tuple(send(step) if isinstance(step, bytes) else step for step in steps))


# messages


def http(text: str) -> bytes:
    """A head, `\\n` for CRLF: `http("GET / HTTP/1.1\\nHost: a")`. What follows an empty line is the body, as it is."""
    head, blank, body = text.partition("\n\n")
    return head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + (body if blank else "").encode("latin-1")


def get(path: str = "/", *fields: str, host: str = "shop") -> bytes:
    return http("\n".join([f"GET {path} HTTP/1.1", f"Host: {host}", *fields]))


def post(body: str, *fields: str, path: str = "/", host: str = "shop") -> bytes:
    length = f"Content-Length: {len(body)}"
    return http("\n".join([f"POST {path} HTTP/1.1", f"Host: {host}", length, *fields]) + "\n\n" + body)


def chunked(*chunks: str, trailers: tuple[str, ...] = (), fields: tuple[str, ...] = (), host: str = "shop") -> bytes:
    """A POST whose body comes in `chunks`."""
    head = "\n".join(["POST / HTTP/1.1", f"Host: {host}", "Transfer-Encoding: chunked", *fields])
    return http(head + "\n\n" + chunks_of(*chunks, trailers=trailers))


def chunks_of(*chunks: str, trailers: tuple[str, ...] = ()) -> str:
    pieces = "".join(f"{len(chunk):x}\r\n{chunk}\r\n" for chunk in chunks)
    return pieces + "0\r\n" + "".join(f"{trailer}\r\n" for trailer in trailers) + "\r\n"


def response(status: int = 200, *fields: str, body: str = "ok", reason: str = "Whatever") -> bytes:
    """With a Content-Length, unless the fields frame it or the status has no body."""
    framed = any(name.lower().startswith(("content-length", "transfer-encoding")) for name in fields)
    if status < 200 or status in (204, 304):
        body, framed = "", True
    length = [] if framed else [f"Content-Length: {len(body)}"]
    return http("\n".join([f"HTTP/1.1 {status} {reason}", *length, *fields]) + "\n\n" + body)


OK = response()


# steps of the client; `on` is the number of its connection


def send(data: bytes, on: int = 1) -> Step:
    """Opens the connection if need be."""
    return Step("send", data, on)


def drip(data: bytes, on: int = 1) -> Step:
    """Byte after byte."""
    return Step("drip", data, on)


def answered(count: int = 1, on: int = 1) -> Step:
    """Wait for so many further complete responses (1xx do not count)."""
    return Step("answered", count, on)


def sees(data: bytes, on: int = 1) -> Step:
    """Wait until the client has received this."""
    return Step("sees", data, on)


def closed(on: int = 1) -> Step:
    """Wait until the proxy closes the client's connection."""
    return Step("closed", None, on)


def hang_up(on: int = 1) -> Step:
    return Step("hang_up", None, on)


def reset(on: int = 1) -> Step:
    """The client's connection ends with a RST."""
    return Step("reset", None, on)


def end_sending(on: int = 1) -> Step:
    """The client half-closes its connection."""
    return Step("end_sending", None, on)


def pause(seconds: float) -> Step:
    """For timeouts only."""
    return Step("pause", seconds)


# steps of the server: of the connection whose request `requested` has found. Without any of them, `serve()` is in force


NOTHING, CLOSE, RESET = "nothing", "close", "reset"


def serve(*answers: bytes | str) -> Step:
    """From now on each complete request gets the next of the answers, all later ones the last. An answer is bytes, or
    NOTHING, CLOSE or RESET. Default: OK."""
    return Step("serve", answers or (OK,))


def requested(at: str = "") -> Step:
    """Wait for the next request's head, at this endpoint or at any."""
    return Step("requested", at)


def receives(data: bytes) -> Step:
    """Wait until this has come on the server's connection."""
    return Step("receives", data)


def respond(status: int = 200, *fields: str, body: str = "ok") -> Step:
    return Step("write", response(status, *fields, body=body))


def write(data: bytes) -> Step:
    return Step("write", data)


def server_closes() -> Step:
    return Step("server_closes")


def server_resets() -> Step:
    return Step("server_resets")


def abandoned() -> Step:
    """Wait until the proxy closes the server's connection."""
    return Step("abandoned")
