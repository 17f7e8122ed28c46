"""What a case expects, held against a decision."""

from collections.abc import Iterator, Mapping
from typing import Any

from pymesh.names import DEFAULT_NAMESPACE, resolve_host
from pymesh.protojson import parse_duration, parse_go_duration
from pymesh.simulation.call import Call
from pymesh.simulation.decision import Decision

_DECISION_FIELDS = tuple(Decision().to_json())
# Expectations that are not called as in the answer of `pymesh simulate`, and where they stand in it.
_ALIASES = {
    "rewrite": "rewritten",
    "mtls": "inbound.mtls",
    "authn": "inbound.authn",
    "authz": "inbound.authz",
}
EXPECTATIONS = sorted({"destination", "headers", *_ALIASES, *_DECISION_FIELDS})
# A call that is expected to end so is expected to have an error, too.
_IMPLY_AN_ERROR = ("error", "redirect", "authz", "authn", "mtls", "inbound")


def differences(expect: Mapping[str, Any], call: Call, decision: Decision) -> Iterator[str]:
    """Lines such as `timeout: expected 2s, got none`; none where the decision is as expected.

    Only what is expected is compared. That there is no error always is, unless the expectation speaks of an end that
    has one.
    """
    answer = decision.to_json()
    answer["destination"] = decision.destination._asdict() if decision.destination is not None else None
    if decision.error and not any(name in expect for name in _IMPLY_AN_ERROR):
        yield f"error: expected none, got {decision.error}"
    for name, wanted in expect.items():
        if name == "destination":
            yield from _destination(wanted, answer["destination"], call)
        elif name == "weights":
            yield from _compare(name, wanted, _named_weights(wanted, decision))
        elif name == "headers":
            for part, headers in wanted.items() if isinstance(wanted, dict) else ():
                yield from _headers(f"headers.{part}", headers, answer.get(f"{part}_headers"))
        elif name == "authz" and isinstance(wanted, str):
            yield from _compare(name, wanted.upper(), _at(answer, "inbound.authz.verdict"))
        else:
            yield from _compare(name, wanted, _at(answer, _ALIASES.get(name, name)))


def _destination(wanted: Any, found: dict[str, Any] | None, call: Call) -> Iterator[str]:
    """A host may be short, as in a VirtualService of the sender's namespace."""
    if not isinstance(wanted, dict):
        wanted = {"host": wanted}
    if found is not None and "host" in wanted:
        wanted = {**wanted, "host": _full_host(str(wanted["host"]), str(found["host"]), call)}
    yield from _compare("destination", wanted, found)


def _full_host(host: str, found: str, call: Call) -> str:
    namespace = (call.source or call.gateway or call.to).partition("/")[0] or DEFAULT_NAMESPACE
    spellings = (host, resolve_host(host, namespace), f"{host}.svc.cluster.local")
    return found if found in spellings else host


def _named_weights(wanted: Any, decision: Decision) -> dict[str, int] | None:
    """By the names that the expectation uses: subsets, hosts or clusters."""
    weights = decision.weights
    if weights is None or not isinstance(wanted, dict):
        return weights
    named = {}
    for cluster, weight in weights.items():
        parts = cluster.split("|")
        names = [cluster, *(parts[2:] if len(parts) == 4 else ()), parts[-1].partition(".")[0]]
        named[
            next((name for name in names if name in wanted), parts[2] if len(parts) == 4 and parts[2] else cluster)
        ] = weight
    return named


def _headers(path: str, wanted: Any, found: Any) -> Iterator[str]:
    """Names have no case; null: the header is not there, or taken away."""
    if not isinstance(wanted, dict):
        yield from _compare(path, wanted, found)
        return
    for name, value in wanted.items():
        yield from _compare(f"{path}.{name}", value, (found or {}).get(str(name).lower()))


def _compare(path: str, wanted: Any, found: Any) -> Iterator[str]:
    """Of maps, only what is wanted must be there; lists must be equal, but for the same rule in their elements."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        missing = [name for name in wanted if name not in found]
        if missing and path == "weights":
            yield f"{path}: expected {_show(wanted)}, got {_show(found)}"
            return
        for name, value in wanted.items():
            yield from _compare(f"{path}.{name}", value, found.get(name))
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for i, value in enumerate(wanted):
            yield from _compare(f"{path}[{i}]", value, found[i])
    elif not _is_same(wanted, found):
        yield f"{path}: expected {_show(wanted)}, got {_show(found)}"


def _is_same(wanted: Any, found: Any) -> bool:
    if wanted == found or (wanted in ("none", "") and found is None):
        return True
    if isinstance(found, str) and isinstance(wanted, str | int | float) and not isinstance(wanted, bool):
        return str(wanted) == found or _is_same_duration(str(wanted), found)
    return False


def _is_same_duration(wanted: str, found: str) -> bool:
    try:
        return abs(parse_go_duration(wanted) - parse_duration(found)) < 1e-9
    except ValueError:
        return False


def _at(answer: Mapping[str, Any], path: str) -> Any:
    value: Any = answer
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _show(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_show(item)}" for name, item in value.items()) + "}"
    return str(value)
