"""Why a route does not take a request, in words. Each criterion is asked by the predicate that routing compiles."""

from collections.abc import Iterator
from typing import NamedTuple

from pymesh.proxy.matchers.compiled import Request, RequestPredicate
from pymesh.proxy.matchers.header_matcher import HeaderMatcher, compile_header_matcher
from pymesh.proxy.matchers.path_matcher import PathMatcher, compile_path_matcher
from pymesh.proxy.matchers.query_parameter_matcher import QueryParameterMatcher, compile_query_parameter_matcher
from pymesh.proxy.matchers.string_matcher import StringMatcher
from pymesh.proxy.routing.route import RouteMatcher

_PATHS = {
    "prefix": "does not begin with",
    "path": "is not",
    "path_separated_prefix": "is not below",
    "safe_regex": "does not match",
}
_STRINGS = {
    "exact": "is not",
    "prefix": "does not begin with",
    "suffix": "does not end with",
    "contains": "does not contain",
    "safe_regex": "does not match",
}


class _Criterion(NamedTuple):
    """`unmet` says what is wrong where `predicate` is false."""

    predicate: RequestPredicate
    unmet: str


def describe_mismatch(matcher: RouteMatcher, request: Request, random_value: float) -> str:
    """The first criterion that the request does not meet; empty: it meets all of them."""
    for criterion in _criteria(matcher):
        if not criterion.predicate(request):
            return criterion.unmet
    percent = matcher.runtime_percent
    if percent is not None and random_value >= percent / 100.0:
        return f"takes {percent:g} % of the requests, and not this one ({random_value:g})"
    return ""


def _criteria(matcher: RouteMatcher) -> Iterator[_Criterion]:
    yield _path(matcher.path)
    for header in matcher.headers:
        yield _Criterion(compile_header_matcher(header), _header(header))
    for parameter in matcher.query_parameters:
        yield _Criterion(compile_query_parameter_matcher(parameter), _query(parameter))


def _path(matcher: PathMatcher) -> _Criterion:
    if matcher.kind == "connect_matcher":
        return _Criterion(lambda request: request.method == b"CONNECT", "the method is not CONNECT")
    matches = compile_path_matcher(matcher)

    def predicate(request: Request) -> bool:
        return request.method != b"CONNECT" and matches(request.path.partition(b"?")[0])

    return _Criterion(predicate, f"the path {_PATHS[matcher.kind]} {matcher.value}")


def _header(matcher: HeaderMatcher) -> str:
    name = matcher.name.removeprefix(":") if matcher.name.startswith(":") else f"header {matcher.name}"
    if matcher.string_match is not None:
        unmet = _string(matcher.string_match)
        return (
            f"{name} has what it must not: {_wanted(matcher.string_match)}"
            if matcher.invert_match
            else f"{name} {unmet}"
        )
    if matcher.range_match is not None:
        return f"{name} is not in the range {matcher.range_match.start}..{matcher.range_match.end - 1}"
    wants_it = matcher.present_match != matcher.invert_match
    return f"{name} is missing" if wants_it else f"{name} is there"


def _query(matcher: QueryParameterMatcher) -> str:
    name = f"query parameter {matcher.name}"
    if matcher.string_match is not None:
        return f"{name} {_string(matcher.string_match)}"
    return f"{name} is missing" if matcher.present_match else f"{name} is there"


def _string(matcher: StringMatcher) -> str:
    return f"{_STRINGS[matcher.pattern]} {matcher.value!r}"


def _wanted(matcher: StringMatcher) -> str:
    return f"{matcher.pattern} {matcher.value!r}"
