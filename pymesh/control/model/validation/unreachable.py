"""Routes that are never reached, and matches that have no effect, because of those before them.

Istio: analyzeUnreachableHTTPRules in pkg/config/validation, with the rule that what matches everything ends the list.
"""

from collections.abc import Sequence

import msgspec

from pymesh.control.model.scope import Scope
from pymesh.control.model.virtual_service import HTTPMatchRequest, HTTPRoute, TCPRoute, TLSRoute

_LONGEST_PATH = 1024  # of longer ones, a file could have so many that looking at them takes seconds
_NO_OTHER_CONDITION = msgspec.json.encode(HTTPMatchRequest())


def warn_of_unreachable(routes: Sequence[HTTPRoute | TCPRoute | TLSRoute], at: Scope) -> None:
    """A delegate takes only what its own routes match, so that what follows one may be reached."""
    if len(routes) < 2 and not (routes and len(routes[0].match) > 1):
        return
    seen = _Seen()
    catch_all: int | None = None
    for index, route in enumerate(routes):
        if catch_all is not None:
            at[index].warn(f"is never reached: route {catch_all} before it matches everything")
            continue
        if not isinstance(route, HTTPRoute) or route.delegate is None:
            _look_at_matches(route, index, seen, at[index])
            catch_all = None if route.match else index


def _look_at_matches(route: HTTPRoute | TCPRoute | TLSRoute, index: int, seen: "_Seen", at: Scope) -> None:
    earlier = [seen.add(match, index) for match in route.match]
    if route.match and all(one is not None for one in earlier):
        at.warn(f"is never reached: all that it matches goes to route {earlier[0]} before it")
        return
    for number, one in enumerate(earlier):
        if one is not None:
            at["match"][number].warn(f"has no effect: what it matches goes to route {one}")


class _Seen:
    """The matches before one, by what they demand. `_prefixes`: beside the path's prefix."""

    def __init__(self) -> None:
        self._whole: dict[bytes, int] = {}
        self._prefixes: dict[tuple[bytes, str], int] = {}
        self._lengths: set[int] = set()

    def add(self, match: msgspec.Struct, index: int) -> int | None:
        """The route before that takes all of it, if there is one."""
        if not isinstance(match, HTTPMatchRequest):
            return self._add_whole(match, index)
        match = msgspec.structs.replace(match, name="", stat_prefix="")
        found = self._add_whole(match, index)
        uri = match.uri
        if uri is None or match.ignore_uri_case or uri.regex is not None:
            return found
        others = msgspec.json.encode(msgspec.structs.replace(match, uri=None))
        path = uri.prefix if uri.prefix is not None else uri.exact or ""
        if len(path) > _LONGEST_PATH:
            return found
        if found is None:
            found = self._find_prefix(path, others)
        if uri.prefix is not None:
            self._prefixes.setdefault((others, uri.prefix), index)
            self._lengths.add(len(path))
        return found

    def _add_whole(self, match: msgspec.Struct, index: int) -> int | None:
        key = msgspec.json.encode(match)
        found = self._whole.get(key)
        self._whole.setdefault(key, index)
        return found

    def _find_prefix(self, path: str, others: bytes) -> int | None:
        for end in sorted(length for length in self._lengths if length <= len(path)):
            for conditions in (others, _NO_OTHER_CONDITION):
                found = self._prefixes.get((conditions, path[:end]))
                if found is not None:
                    return found
        return None
