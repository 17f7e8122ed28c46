"""envoy.type.matcher.v3.StringMatcher: one way to match a value. Compiled to a predicate on bytes."""

from dataclasses import dataclass

from pymesh.protojson import Reader
from pymesh.proxy.matchers.compiled import BytesPredicate
from pymesh.proxy.matchers.regex import check_regex, compile_full_match

PATTERNS = ("exact", "prefix", "suffix", "contains", "safe_regex")


@dataclass(frozen=True, slots=True)
class StringMatcher:
    """`pattern` is one of PATTERNS; `ignore_case` means ASCII case and nothing to a safe_regex."""

    pattern: str
    value: str
    ignore_case: bool = False


def decode_string_matcher(reader: Reader) -> StringMatcher:
    """https://www.envoyproxy.io/docs/envoy/latest/api-v3/type/matcher/v3/string.proto"""
    pattern = reader.oneof(*PATTERNS)
    if pattern is None:
        reader.fail("match_pattern", f"one of {', '.join(PATTERNS)} is required")
    ignore_case = reader.boolean("ignore_case")
    if pattern == "safe_regex":
        return StringMatcher(pattern, decode_regex(reader, pattern))
    # An empty exact value is a fine match; an empty prefix, suffix or substring would match everything by mistake.
    value = reader.string(pattern) if pattern == "exact" else reader.required_string(pattern)
    return StringMatcher(pattern, value, ignore_case)


def decode_regex(reader: Reader, key: str) -> str:
    """A RegexMatcher below `key`; RE2 is the only engine there is."""
    matcher = reader.required_object(key)
    matcher.ignore("google_re2")
    pattern = matcher.required_string("regex")
    try:
        check_regex(pattern)
    except ValueError as error:
        matcher.fail("regex", str(error))
    return pattern


def compile_string_matcher(matcher: StringMatcher) -> BytesPredicate:
    if matcher.pattern == "safe_regex":
        return compile_full_match(matcher.value)
    expected = matcher.value.encode()
    if matcher.ignore_case:
        predicate = _compile_plain(matcher.pattern, expected.lower())
        return lambda value: predicate(value.lower())
    return _compile_plain(matcher.pattern, expected)


def _compile_plain(pattern: str, expected: bytes) -> BytesPredicate:
    predicates: dict[str, BytesPredicate] = {
        "exact": expected.__eq__,
        "prefix": lambda value: value.startswith(expected),
        "suffix": lambda value: value.endswith(expected),
        "contains": lambda value: expected in value,
    }
    return predicates[pattern]
