"""Rules of what a route does to the request, or instead of sending it on: redirect, directResponse, rewrite."""

import re

from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.control.model.validation.header_value import check_header_text
from pymesh.control.model.virtual_service import HTTPDirectResponse, HTTPRedirect, HTTPRewrite, RegexRewrite

REDIRECT_CODES = (301, 302, 303, 307, 308)
_LARGEST_BODY = 1024 * 1024
_LARGE_BODY = 100 * 1024
# What follows a backslash: the number of a group, or another backslash.
_REFERENCE = re.compile(r"\\(.|$)", re.DOTALL)


def check_redirect(redirect: HTTPRedirect | None, at: Scope) -> None:
    if redirect is None:
        return
    set_fields = (redirect.uri, redirect.prefix_rewrite, redirect.authority, redirect.scheme, redirect.redirect_code)
    has_port = redirect.port is not None or redirect.derive_port is not None
    at.require(any(set_fields) or has_port, "must have at least one field")
    at.require(not (redirect.uri and redirect.prefix_rewrite), "must have only one of uri and prefixRewrite")
    at.require(redirect.port is None or redirect.derive_port is None, "must have only one of port and derivePort")
    if redirect.port is not None:
        syntax.check_port(redirect.port, at["port"])
    at["scheme"].require(redirect.scheme in ("", "http", "https"), f"must be http or https, not {redirect.scheme!r}")
    for name, text in (
        ("uri", redirect.uri),
        ("prefixRewrite", redirect.prefix_rewrite),
        ("authority", redirect.authority),
    ):
        check_header_text(text, at[name])
    is_valid = redirect.redirect_code in (0, *REDIRECT_CODES)
    at["redirectCode"].require(is_valid, f"must be one of {', '.join(map(str, REDIRECT_CODES))}")


def check_direct_response(response: HTTPDirectResponse | None, at: Scope) -> None:
    if response is None:
        return
    syntax.check_range(response.status, 200, 599, at["status"])
    body = response.body
    if body is not None:
        at["body"].require((body.string is None) != (body.bytes is None), "must have one of string and bytes")
        size = len((body.string or "").encode()) + len(body.bytes or b"")
        at["body"].require(size <= _LARGEST_BODY, f"must not be larger than {_LARGEST_BODY} bytes")
        if _LARGE_BODY < size <= _LARGEST_BODY:
            at["body"].warn(f"is larger than {_LARGE_BODY} bytes, which every proxy has to hold")


def check_rewrite(rewrite: HTTPRewrite | None, at: Scope) -> None:
    if rewrite is None:
        return
    regex = rewrite.uri_regex_rewrite
    at.require(rewrite.uri or rewrite.authority or regex, "must have one of uri, authority and uriRegexRewrite")
    at.require(not (rewrite.uri and regex), "must have only one of uri and uriRegexRewrite")
    check_header_text(rewrite.uri, at["uri"])
    check_header_text(rewrite.authority, at["authority"])
    if regex is not None:
        _check_regex_rewrite(regex, at["uriRegexRewrite"])


def _check_regex_rewrite(regex: RegexRewrite, at: Scope) -> None:
    at["match"].require(regex.match, "is required")
    at["rewrite"].require(regex.rewrite, "is required")
    check_header_text(regex.rewrite, at["rewrite"])
    groups = syntax.check_regex(regex.match, at["match"])
    used = _REFERENCE.findall(regex.rewrite)
    is_known = all(text == "\\" or (text.isascii() and text.isdecimal() and int(text) <= groups) for text in used)
    at["rewrite"].require(is_known, f"{regex.rewrite!r} refers to a group that the regex does not have")
