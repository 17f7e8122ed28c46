"""envoy.type.matcher.v3.MetadataMatcher: a condition on what filters have found out about a call.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/type/matcher/v3/metadata.proto
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pymesh.protojson import Reader
from pymesh.proxy.matchers.string_matcher import StringMatcher, compile_string_matcher, decode_string_matcher

DynamicMetadata = Mapping[str, Any]  # by filter's name
MetadataPredicate = Callable[[DynamicMetadata], bool]
_ValuePredicate = Callable[[Any], bool]

_PATTERNS = ("null_match", "string_match", "bool_match", "present_match", "list_match", "or_match")
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class ValueMatcher:
    """`pattern` is one of _PATTERNS, which says which of the other fields counts."""

    pattern: str
    string: StringMatcher | None = None
    flag: bool = False
    members: tuple["ValueMatcher", ...] = ()  # of an or_match; of a list_match its only one


@dataclass(frozen=True, slots=True)
class MetadataMatcher:
    filter: str
    path: tuple[str, ...]
    value: ValueMatcher
    invert: bool = False


def decode_metadata_matcher(reader: Reader) -> MetadataMatcher:
    return MetadataMatcher(
        reader.required_string("filter"),
        tuple(segment.required_string("key") for segment in reader.objects("path")),
        _decode_value(reader.required_object("value")),
        reader.boolean("invert"),
    )


def compile_metadata_matcher(matcher: MetadataMatcher) -> MetadataPredicate:
    """What is not there matches nothing, so that its inversion matches."""
    matches, (name, *path), inverted = _compile_value(matcher.value), (matcher.filter, *matcher.path), matcher.invert

    def predicate(metadata: DynamicMetadata) -> bool:
        value = metadata.get(name, _ABSENT)
        for key in path:
            value = value.get(key, _ABSENT) if isinstance(value, Mapping) else _ABSENT
        return matches(value) != inverted

    return predicate


def _decode_value(reader: Reader) -> ValueMatcher:
    pattern = reader.oneof(*_PATTERNS)
    if pattern is None:
        reader.fail("match_pattern", f"one of {', '.join(_PATTERNS)} is required")
    if pattern == "string_match":
        return ValueMatcher(pattern, string=decode_string_matcher(reader.required_object(pattern)))
    if pattern in ("bool_match", "present_match"):
        return ValueMatcher(pattern, flag=reader.boolean(pattern))
    if pattern == "null_match":
        reader.ignore(pattern)
        return ValueMatcher(pattern)
    inner = reader.required_object(pattern)
    members = inner.objects("value_matchers") if pattern == "or_match" else [inner.required_object("one_of")]
    return ValueMatcher(pattern, members=tuple(map(_decode_value, members)))


def _compile_value(matcher: ValueMatcher) -> _ValuePredicate:
    if matcher.string is not None:
        return _compile_string(matcher.string)
    if matcher.pattern == "bool_match":
        return lambda value: value is matcher.flag
    if matcher.pattern == "present_match":
        return lambda value: (value is not _ABSENT) == matcher.flag
    if matcher.pattern == "null_match":
        return lambda value: value is None
    members = tuple(map(_compile_value, matcher.members))
    if matcher.pattern == "or_match":
        return lambda value: any(member(value) for member in members)
    one = members[0]
    return lambda value: isinstance(value, list) and any(map(one, value))


def _compile_string(matcher: StringMatcher) -> _ValuePredicate:
    matches = compile_string_matcher(matcher)
    return lambda value: isinstance(value, str) and matches(value.encode())
