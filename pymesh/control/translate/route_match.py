"""envoy.config.route.v3.RouteMatch of an HTTPMatchRequest."""

from collections.abc import Mapping
from typing import Any

from pymesh.control.model.jwt_claim import claim_path
from pymesh.control.model.messages import StringMatch
from pymesh.control.model.virtual_service import HTTPMatchRequest
from pymesh.control.translate.jwt_authn import build_claim_match

ANY_PATH: dict[str, Any] = {"prefix": "/"}
_ANY_REGEX = {"safe_regex": {"regex": ".*"}}
CONNECT: dict[str, Any] = {"connect_matcher": {}}


def build_route_match(match: HTTPMatchRequest | None) -> dict[str, Any]:
    """None matches every request but CONNECT."""
    if match is None:
        return dict(ANY_PATH)
    built = _path(match.uri)
    if match.ignore_uri_case and "safe_regex" not in built:
        built["case_sensitive"] = False
    headers = _headers(match)
    if headers:
        built["headers"] = headers
    claims = _claims(match)
    if claims:
        built["dynamic_metadata"] = claims
    if match.query_params:
        built["query_parameters"] = [_named(name, value) for name, value in sorted(match.query_params.items())]
    return built


def is_catch_all(match: dict[str, Any]) -> bool:
    """Nothing after a route with this match is ever reached, CONNECT aside."""
    path = {key: value for key, value in match.items() if key != "case_sensitive"}
    return path in (ANY_PATH, _ANY_REGEX)


def string_matcher(match: StringMatch) -> dict[str, Any]:
    """envoy.type.matcher.v3.StringMatcher"""
    if match.exact is not None:
        return {"exact": match.exact}
    if match.prefix is not None:
        return {"prefix": match.prefix}
    return {"safe_regex": {"regex": match.regex}}


def _path(uri: StringMatch | None) -> dict[str, Any]:
    if uri is None or _is_presence(uri):
        return dict(ANY_PATH)
    if uri.exact is not None:
        return {"path": uri.exact}
    return string_matcher(uri)


def _headers(match: HTTPMatchRequest) -> list[dict[str, Any]]:
    matchers = [_named(name, value) for name, value in _fields(match.headers)]
    matchers += [_without(name, value) for name, value in _fields(match.without_headers)]
    pseudo = ((":method", match.method), (":authority", match.authority), (":scheme", match.scheme))
    return matchers + [_named(name, value) for name, value in pseudo if value is not None]


def _fields(headers: Mapping[str, StringMatch]) -> list[tuple[str, StringMatch]]:
    return [(name, value) for name, value in sorted(headers.items()) if not claim_path(name)]


def _claims(match: HTTPMatchRequest) -> list[dict[str, Any]]:
    """At gateways, in the place of headers."""
    wanted = [(claim_path(name), value, False) for name, value in sorted(match.headers.items())]
    unwanted = [(claim_path(name), value, True) for name, value in sorted(match.without_headers.items())]
    return [
        build_claim_match(path, _claim_value(value)) | ({"invert": True} if is_inverted else {})
        for path, value, is_inverted in (*wanted, *unwanted)
        if path
    ]


def _claim_value(value: StringMatch) -> dict[str, Any]:
    if _is_presence(value):
        return {"present_match": True}
    matcher = {"string_match": string_matcher(value)}
    return {"or_match": {"value_matchers": [{"list_match": {"one_of": matcher}}, matcher]}}


def _named(name: str, value: StringMatch) -> dict[str, Any]:
    if _is_presence(value):
        return {"name": name, "present_match": True}
    return {"name": name, "string_match": string_matcher(value)}


def _without(name: str, value: StringMatch) -> dict[str, Any]:
    """A header that is missing counts as empty, and an empty one does not have the value: the request matches."""
    matcher = _named(name, value) | {"invert_match": True}
    if "string_match" in matcher:
        matcher["treat_missing_header_as_empty"] = True
    return matcher


def _is_presence(match: StringMatch) -> bool:
    return match.exact is None and not match.prefix and match.regex in (None, "", "*")
