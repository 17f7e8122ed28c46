"""The path part of envoy.config.route.v3.RouteMatch: what a route demands of the path, without its query."""

from dataclasses import dataclass

from pymesh.protojson import Reader
from pymesh.proxy.matchers.compiled import BytesPredicate
from pymesh.proxy.matchers.regex import compile_full_match
from pymesh.proxy.matchers.string_matcher import decode_regex

PATHS = ("prefix", "path", "path_separated_prefix", "safe_regex", "connect_matcher")


@dataclass(frozen=True, slots=True)
class PathMatcher:
    """`kind` is one of PATHS. `connect_matcher` has no value: it matches a CONNECT, and nothing else does."""

    kind: str
    value: str = ""
    case_sensitive: bool = True


def decode_path_matcher(reader: Reader) -> PathMatcher:
    """https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route_components.proto (RouteMatch)"""
    kind = reader.oneof(*PATHS)
    case_sensitive = reader.boolean("case_sensitive", True)
    if kind is None:
        reader.fail("path_specifier", f"one of {', '.join(PATHS)} is required")
    if kind == "connect_matcher":
        reader.object(kind)
        return PathMatcher(kind)
    if kind == "safe_regex":
        return PathMatcher(kind, decode_regex(reader, kind))
    value = reader.string(kind)
    if kind == "path_separated_prefix" and (not value.startswith("/") or value.endswith("/") or "?" in value):
        reader.fail(kind, "must begin with a slash, must not end with one, and has no query")
    return PathMatcher(kind, value, case_sensitive)


def compile_path_matcher(matcher: PathMatcher) -> BytesPredicate:
    """A predicate on the path without its query. Not for a connect_matcher, which has none."""
    if matcher.kind == "safe_regex":
        return compile_full_match(matcher.value)
    value = matcher.value.encode()
    if not matcher.case_sensitive:
        predicate = _compile_plain(matcher.kind, value.lower())
        return lambda path: predicate(path.lower())
    return _compile_plain(matcher.kind, value)


def _compile_plain(kind: str, value: bytes) -> BytesPredicate:
    if kind == "path":
        return value.__eq__
    if kind == "prefix":
        return lambda path: path.startswith(value)
    length, below = len(value), value + b"/"
    return lambda path: path.startswith(below) or (len(path) == length and path == value)
