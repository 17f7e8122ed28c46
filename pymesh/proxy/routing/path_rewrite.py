"""What a route does to the path before the request goes upstream, or into a redirect. Pure."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

from pymesh.protojson import Reader
from pymesh.proxy.matchers.path_matcher import PathMatcher
from pymesh.proxy.matchers.regex import compile_replace


@dataclass(frozen=True, slots=True)
class PrefixRewrite:
    """Replaces the first `matched` bytes of the path; None: the whole path, as an exact or regex match means."""

    matched: int | None
    replacement: bytes

    def rewrite(self, path: bytes) -> bytes:
        """The query stays."""
        if self.matched is not None:
            return self.replacement + path[self.matched :]
        _, mark, query = path.partition(b"?")
        return self.replacement + mark + query


@dataclass(frozen=True, slots=True)
class RegexRewrite:
    """Replaces every match of the pattern in the path without its query; `\\1` is a group."""

    pattern: str
    substitution: str

    def rewrite(self, path: bytes) -> bytes:
        bare, mark, query = path.partition(b"?")
        return _compile(self.pattern, self.substitution)(bare) + mark + query


PathRewrite = PrefixRewrite | RegexRewrite


def decode_path_rewrite(reader: Reader, matcher: PathMatcher) -> PathRewrite | None:
    """`prefix_rewrite` or `regex_rewrite` of a RouteAction or RedirectAction, whose route matches by `matcher`.

    https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route_components.proto
    """
    kind = reader.oneof("prefix_rewrite", "regex_rewrite")
    if kind == "regex_rewrite":
        return decode_regex_rewrite(reader, kind)
    replacement = reader.string("prefix_rewrite")
    if not replacement:
        return None
    is_prefix = matcher.kind in ("prefix", "path_separated_prefix")
    return PrefixRewrite(len(matcher.value.encode()) if is_prefix else None, replacement.encode())


def decode_regex_rewrite(reader: Reader, key: str) -> RegexRewrite:
    """A RegexMatchAndSubstitute below `key`."""
    rewrite = reader.required_object(key)
    matcher = rewrite.required_object("pattern")
    matcher.ignore("google_re2")
    pattern, substitution = matcher.required_string("regex"), rewrite.string("substitution")
    try:
        _compile(pattern, substitution)
    except ValueError as error:
        rewrite.fail("pattern", str(error))
    return RegexRewrite(pattern, substitution)


@functools.lru_cache(maxsize=4096)
def _compile(pattern: str, substitution: str) -> Callable[[bytes], bytes]:
    return compile_replace(pattern, substitution)
