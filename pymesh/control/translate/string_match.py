"""Istio's patterns of authorization policies as Envoy's StringMatchers: `abc`, `abc*`, `*abc`, and `*` for anything.

Istio: pilot/pkg/security/authz/matcher/string.go.
"""

import re
from typing import Any

StringMatcher = dict[str, Any]

ANYTHING = ".+"


def build_string_match(pattern: str, ignore_case: bool = False) -> StringMatcher:
    built: StringMatcher
    if pattern == "*":
        return build_regex_match(ANYTHING)
    if pattern.startswith("*"):
        built = {"suffix": pattern[1:]}
    elif pattern.endswith("*"):
        built = {"prefix": pattern[:-1]}
    else:
        built = {"exact": pattern}
    return built | {"ignore_case": True} if ignore_case else built


def build_prefixed_match(prefix: str, pattern: str) -> StringMatcher:
    """Of a value that begins with `prefix` and goes on as the pattern says."""
    if pattern == "*":
        return build_regex_match(ANYTHING)
    if pattern.startswith("*"):
        return build_regex_match(f"{prefix}.*{re.escape(pattern[1:])}")
    return build_string_match(prefix + pattern)


def build_regex_match(regex: str) -> StringMatcher:
    return {"safe_regex": {"regex": regex}}
