"""The routes of one virtual host, found without asking each one in turn, and still the first in order that matches.

A path has few candidates: the routes of exactly this path, those whose prefix begins it, and those that only their own
condition can tell (regexes, paths without case). Which candidates go with an exact path or a longest prefix does not
change, so each such list, in order, is made once, when it is first needed.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from pymesh.proxy.matchers.compiled import BytesPredicate, Request, RequestPredicate
from pymesh.proxy.matchers.header_matcher import compile_header_matcher
from pymesh.proxy.matchers.metadata_matcher import MetadataMatcher, compile_metadata_matcher
from pymesh.proxy.matchers.path_matcher import PathMatcher, compile_path_matcher
from pymesh.proxy.matchers.query_parameter_matcher import compile_query_parameter_matcher
from pymesh.proxy.routing.redirect import HTTPS_REDIRECT
from pymesh.proxy.routing.route import Route, RouteMatch, RouteMatcher, VirtualHost

# Of a request, its path without the query, and the random value.
Condition = Callable[[Request, bytes, float], bool]


class _Candidate(NamedTuple):
    """`condition` None: the route asks for nothing beyond the path by which it was found."""

    order: int
    match: RouteMatch
    condition: Condition | None


class _Bucket:
    """The routes with one exact path or one prefix; `merged`: every candidate of a path that ends up here, in order."""

    __slots__ = ("merged", "own")

    def __init__(self) -> None:
        self.own: list[_Candidate] = []
        self.merged: tuple[_Candidate, ...] | None = None


class RouteIndex:
    """Built when its virtual host is first asked for: a push of ten thousand routes must not stop the event loop."""

    __slots__ = (
        "_connect",
        "_cuts",
        "_exact",
        "_is_built",
        "_others",
        "_prefixes",
        "_tls_redirect",
        "_virtual_host",
    )

    def __init__(self, virtual_host: VirtualHost) -> None:
        self._virtual_host = virtual_host
        self._is_built = False
        self._exact: dict[bytes, _Bucket] = {}
        self._prefixes: dict[bytes, _Bucket] = {}
        self._cuts: tuple[slice, ...] = ()  # of each length that a prefix has, longest first
        self._others = _Bucket()
        self._connect = _Bucket()
        self._tls_redirect: RouteMatch | None = None

    @property
    def virtual_host(self) -> VirtualHost:
        return self._virtual_host

    def route(self, request: Request, random_value: float) -> RouteMatch | None:
        if not self._is_built:
            self._build()
        if self._tls_redirect is not None and not request.is_tls and request.scheme != b"https":
            return self._tls_redirect
        path = request.path
        end = path.find(b"?")
        if end >= 0:
            path = path[:end]
        exact = self._exact
        if request.method == b"CONNECT":
            bucket = self._connect
        elif path in exact:
            bucket = exact[path]
        else:
            prefixes = self._prefixes
            for cut in self._cuts:
                prefix = path[cut]
                if prefix in prefixes:  # faster than get() where it is not
                    bucket = prefixes[prefix]
                    break
            else:
                bucket = self._others
        candidates = bucket.merged
        if candidates is None:
            candidates = self._merge(bucket, path)
        for _, match, condition in candidates:
            if condition is None or condition(request, path, random_value):
                return match
        return None

    def _merge(self, bucket: _Bucket, path: bytes) -> tuple[_Candidate, ...]:
        """Every path that ends up in the bucket has the same candidates: a longer prefix would have its own bucket."""
        buckets = [bucket]
        if bucket is not self._connect:
            shorter = (self._prefixes.get(path[cut]) for cut in self._cuts if cut.stop <= len(path))
            buckets += [other for other in (*shorter, self._others) if other is not None and other is not bucket]
        candidates = sorted(candidate for other in buckets for candidate in other.own)
        bucket.merged = tuple(_until_unconditional(candidates))
        return bucket.merged

    def _build(self) -> None:
        for order, route in enumerate(self._virtual_host.routes):
            path = route.match.path
            candidate = _Candidate(order, RouteMatch(route, self._virtual_host), _compile_condition(route.match))
            self._bucket_of(path).own.append(candidate)
        self._cuts = tuple(map(slice, sorted({len(prefix) for prefix in self._prefixes}, reverse=True)))
        if self._virtual_host.require_tls:
            redirect = Route("", RouteMatcher(PathMatcher("prefix", "/")), HTTPS_REDIRECT)
            self._tls_redirect = RouteMatch(redirect, self._virtual_host)
        self._is_built = True

    def _bucket_of(self, path: PathMatcher) -> _Bucket:
        if path.kind == "connect_matcher":
            return self._connect
        if not _is_indexed(path):
            return self._others
        buckets = self._exact if path.kind == "path" else self._prefixes
        return buckets.setdefault(path.value.encode(), _Bucket())


def _is_indexed(path: PathMatcher) -> bool:
    return path.kind in ("path", "prefix", "path_separated_prefix") and path.case_sensitive


def _until_unconditional(candidates: Iterable[_Candidate]) -> Iterable[_Candidate]:
    for candidate in candidates:
        yield candidate
        if candidate.condition is None:
            return


def _compile_condition(matcher: RouteMatcher) -> Condition | None:
    """What the route still asks for, once the index has found it by its path."""
    path_matches = _remaining_path_condition(matcher.path)
    predicates: tuple[RequestPredicate, ...] = (
        *map(compile_header_matcher, matcher.headers),
        *map(compile_query_parameter_matcher, matcher.query_parameters),
        *map(_compile_metadata, matcher.dynamic_metadata),
    )
    if path_matches is None and matcher.runtime_percent is None:
        return _compile_predicates(predicates)
    share = 1.0 if matcher.runtime_percent is None else matcher.runtime_percent / 100.0

    def condition(request: Request, path: bytes, random_value: float) -> bool:
        if path_matches is not None and not path_matches(path):
            return False
        return random_value < share and all(predicate(request) for predicate in predicates)

    return condition


def _compile_metadata(matcher: MetadataMatcher) -> RequestPredicate:
    matches = compile_metadata_matcher(matcher)
    return lambda request: matches(request.dynamic_metadata)


def _compile_predicates(predicates: tuple[RequestPredicate, ...]) -> Condition | None:
    if not predicates:
        return None
    if len(predicates) == 1:
        (only,) = predicates
        return lambda request, _path, _random: only(request)
    return lambda request, _path, _random: all(predicate(request) for predicate in predicates)


def _remaining_path_condition(path: PathMatcher) -> BytesPredicate | None:
    if path.kind == "connect_matcher" or (_is_indexed(path) and path.kind != "path_separated_prefix"):
        return None
    return compile_path_matcher(path)
