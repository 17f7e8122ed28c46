"""envoy.config.route.v3.HeaderMatcher: a condition on one header. `:method` and its like are read from the request."""

from collections.abc import Callable
from dataclasses import dataclass

from pymesh.protojson import Reader
from pymesh.proxy.matchers.compiled import BytesPredicate, Request, RequestPredicate
from pymesh.proxy.matchers.string_matcher import StringMatcher, compile_string_matcher, decode_string_matcher

HeaderGetter = Callable[[Request], list[bytes]]

_PSEUDO_HEADERS: dict[str, HeaderGetter] = {
    ":method": lambda request: [request.method],
    ":path": lambda request: [request.path],
    ":authority": lambda request: [request.authority],
    ":scheme": lambda request: [request.scheme],
    ":status": lambda request: [],
}


@dataclass(frozen=True, slots=True)
class IntegerRange:
    """envoy.type.v3.Int64Range: start <= value < end."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class HeaderMatcher:
    """Exactly one of `string_match`, `range_match` and `present_match` is set. `name` is lower-case."""

    name: str
    string_match: StringMatcher | None = None
    range_match: IntegerRange | None = None
    present_match: bool | None = None
    invert_match: bool = False
    treat_missing_header_as_empty: bool = False


def decode_header_matcher(reader: Reader) -> HeaderMatcher:
    """https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route_components.proto (HeaderMatcher)"""
    name = reader.required_string("name").lower()
    if name.startswith(":") and name not in _PSEUDO_HEADERS:
        reader.fail("name", f"must be a header or one of {', '.join(_PSEUDO_HEADERS)}")
    specifier = reader.oneof("string_match", "range_match", "present_match")
    string_match, range_match = reader.object("string_match"), reader.object("range_match")
    return HeaderMatcher(
        name=":authority" if name == "host" else name,
        string_match=decode_string_matcher(string_match) if string_match else None,
        range_match=_decode_range(range_match) if range_match else None,
        # Envoy: with no specifier at all, the header must be present.
        present_match=reader.boolean("present_match", True) if specifier in ("present_match", None) else None,
        invert_match=reader.boolean("invert_match"),
        treat_missing_header_as_empty=reader.boolean("treat_missing_header_as_empty"),
    )


def compile_header_matcher(matcher: HeaderMatcher) -> RequestPredicate:
    """Of several values, one has to match. A missing header matches no value, inverted or not, unless it is treated as
    empty (Envoy: HeaderUtility)."""
    get = _PSEUDO_HEADERS.get(matcher.name) or _header_getter(matcher.name.encode())
    if matcher.present_match is not None:
        wanted = matcher.present_match != matcher.invert_match
        return lambda request: bool(get(request)) == wanted
    matches, inverted = _value_predicate(matcher), matcher.invert_match
    default = [b""] if matcher.treat_missing_header_as_empty else []

    def predicate(request: Request) -> bool:
        values = get(request) or default
        return bool(values) and (matches(values[0]) or any(map(matches, values[1:]))) != inverted

    return predicate


def _decode_range(reader: Reader) -> IntegerRange:
    return IntegerRange(reader.integer("start"), reader.integer("end"))


def _header_getter(name: bytes) -> HeaderGetter:
    return lambda request: request.headers.get_all(name)


def _value_predicate(matcher: HeaderMatcher) -> BytesPredicate:
    if matcher.string_match is not None:
        return compile_string_matcher(matcher.string_match)
    assert matcher.range_match is not None
    start, end = matcher.range_match.start, matcher.range_match.end

    def in_range(value: bytes) -> bool:
        digits = value[1:] if value[:1] in (b"-", b"+") else value
        return digits.isdigit() and len(digits) < 20 and start <= int(value) < end

    return in_range
