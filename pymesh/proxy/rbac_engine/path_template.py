"""Envoy's URI templates: `*` is one segment of a path, `**` any number of them. Pure.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/path/match/uri_template/v3/uri_template_match.proto
"""

import re

# RFC 3986 3.3: what a segment consists of, in the form in which it travels.
_SEGMENT = r"[a-zA-Z0-9._~%!$&'()*+,;:@=-]"
_WILDCARDS = {"*": f"{_SEGMENT}+", "**": r"[a-zA-Z0-9._~%!$&'()*+,;:@=/-]*"}


def check_template(template: str) -> None:
    """Raises ValueError."""
    if not template.startswith("/"):
        raise ValueError(f"{template!r} must begin with a slash")
    segments = template.split("/")[1:]
    for segment in segments:
        if "*" in segment and segment not in _WILDCARDS:
            raise ValueError(f"{segment!r}: a wildcard must be a whole segment")
    if "**" in segments and any(segment in _WILDCARDS for segment in segments[segments.index("**") + 1 :]):
        raise ValueError(f"{template!r}: ** must be the last wildcard")


def template_regex(template: str) -> str:
    """For a full match of the path without its query."""
    return "/".join(_WILDCARDS.get(segment) or re.escape(segment) for segment in template.split("/"))
