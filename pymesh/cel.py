"""Expressions in CEL over the attributes of requests and connections: which there are, and how a text is compiled.

The engine is CEL C++, which is Envoy's own; it is imported with the first expression.
https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/advanced/attributes
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

Attributes = Mapping[str, frozenset[str]]

_PEER = frozenset({"app", "cluster", "namespace", "revision", "service", "version", "workload"})

# Envoy's, without those of which a proxy here knows nothing.
ATTRIBUTES: Attributes = {
    "request": frozenset(
        {
            *("duration", "headers", "headers_bytes", "host", "id", "method", "path", "protocol", "query", "referer"),
            *("scheme", "size", "time", "total_size", "url_path", "useragent"),
        }
    ),
    "response": frozenset(
        {"code", "code_details", "flags", "grpc_status", "headers", "headers_bytes", "size", "total_size"}
    ),
    "connection": frozenset({"mtls", "requested_server_name", "termination_details", "uri_san_peer_certificate"}),
    "source": frozenset({"address", "port"}),
    "destination": frozenset({"address", "port"}),
    "upstream": frozenset(
        {
            *("address", "local_address", "port", "request_attempt_count", "transport_failure_reason"),
            "uri_san_peer_certificate",
        }
    ),
    "xds": frozenset({"cluster_name", "route_name"}),
    "metadata": frozenset({"filter_metadata"}),
    "filter_state": frozenset({"downstream_peer", "upstream_peer"}),
}
# Istio's metrics have the peers under names of their own, too.
METRIC_ATTRIBUTES: Attributes = {**ATTRIBUTES, "downstream_peer": _PEER, "upstream_peer": _PEER}

_TOKEN = re.compile(
    r"""[rRbB]{0,2}(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<name>[A-Za-z_]\w*)|(?P<other>[^\s\w])|\d\w*"""
)
_ERROR = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*?)(?: \(in container ''\))?$", re.MULTILINE)


class Attribute(NamedTuple):
    """One that an expression reads; without a name, any of its root."""

    root: str
    name: str = ""


class Token(NamedTuple):
    """`kind`: string, name, other; None for a number. A string's text is what stands between its quotes."""

    kind: str | None
    text: str


def check_expression(text: str, attributes: Attributes = ATTRIBUTES) -> None:
    """Raises ValueError for what no proxy could ever evaluate: bad syntax, or a name that nobody has declared."""
    compile_expression(text, attributes)
    for root, name in read_attributes(text, attributes):
        if name and name not in attributes[root]:
            raise ValueError(f"there is no attribute {root}.{name}")
    try:
        _environment(tuple(attributes)).compile(text)
    except RuntimeError as error:
        # A wrong type is an error of each evaluation only, as for Envoy.
        if "undeclared reference" in str(error):
            raise ValueError(_message(error)) from None


def compile_expression(text: str, attributes: Attributes = ATTRIBUTES) -> Callable[[dict[str, Any]], Any]:
    """A function of the values of the roots: the result, or None where the evaluation fails, as of an absent attribute.
    Raises ValueError for bad syntax."""
    try:
        evaluate = _environment(tuple(attributes)).compile(text, disable_check=True).eval
    except RuntimeError as error:
        raise ValueError(_message(error)) from None
    failed = _engine().Type.ERROR

    def run(values: dict[str, Any]) -> Any:
        found = evaluate(data=values)
        return None if found.type() == failed else found.plain_value()

    return run


def tokens(text: str) -> Iterator[Token]:
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        yield Token(kind, match[kind][1:-1] if kind == "string" else match[0])


def read_attributes(text: str, attributes: Attributes = ATTRIBUTES) -> frozenset[Attribute]:
    """What an expression reads: `request.path`, `request["path"]`, or the whole of `request`."""
    found, end = set(), Token(None, "")
    padded = [end, *tokens(text), end, end, end]
    for before, token, first, second, third in zip(
        padded, padded[1:], padded[2:], padded[3:], padded[4:], strict=False
    ):
        if token.kind != "name" or token.text not in attributes or before.text == ".":
            continue
        is_selected = first.text == "." and second.kind == "name"
        is_indexed = first.text == "[" and second.kind == "string" and third.text == "]"
        found.add(Attribute(token.text, second.text if is_selected or is_indexed else ""))
    return frozenset(found)


def _message(error: RuntimeError) -> str:
    match = _ERROR.search(str(error))
    if match is None:
        return f"is no valid CEL expression: {str(error).splitlines()[0]}"
    message = match[3].partition(" expecting {")[0].strip()  # without the list of all tokens
    return f"is no valid CEL expression: {message} at line {match[1]}, column {match[2]}"


@cache
def _environment(roots: tuple[str, ...]) -> Any:
    engine = _engine()
    return engine.NewEnv(variables=dict.fromkeys(roots, engine.Type.DYN))


def _engine() -> Any:
    """Six MB of memory, which only who has an expression shall pay."""
    from cel_expr_python import cel

    return cel
