"""envoy.config.route.v3.QueryParameterMatcher: a condition on one query parameter."""

from dataclasses import dataclass

from pymesh.protojson import Reader
from pymesh.proxy.matchers.compiled import Request, RequestPredicate
from pymesh.proxy.matchers.string_matcher import StringMatcher, compile_string_matcher, decode_string_matcher


@dataclass(frozen=True, slots=True)
class QueryParameterMatcher:
    """Without a string_match the parameter must be there (or not, where `present_match` is false)."""

    name: str
    string_match: StringMatcher | None = None
    present_match: bool = True


def decode_query_parameter_matcher(reader: Reader) -> QueryParameterMatcher:
    """https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route_components.proto"""
    reader.oneof("string_match", "present_match")
    string_match = reader.object("string_match")
    return QueryParameterMatcher(
        reader.required_string("name"),
        decode_string_matcher(string_match) if string_match else None,
        reader.boolean("present_match", True),
    )


def compile_query_parameter_matcher(matcher: QueryParameterMatcher) -> RequestPredicate:
    name = matcher.name.encode()
    if matcher.string_match is None:
        wanted = matcher.present_match
        return lambda request: (query_parameter(request.path, name) is not None) == wanted
    matches = compile_string_matcher(matcher.string_match)

    def predicate(request: Request) -> bool:
        value = query_parameter(request.path, name)
        return value is not None and matches(value)

    return predicate


def query_parameter(path: bytes, name: bytes) -> bytes | None:
    """The first value of the parameter, as it came: Envoy decodes neither it nor names. None: there is none."""
    for pair in path.partition(b"?")[2].split(b"&"):
        key, _, value = pair.partition(b"=")
        if pair and key == name:
            return value
    return None
