"""Every regular expression that configuration brings is compiled here: RE2, linear time, as Envoy's `safe_regex`."""

from collections.abc import Callable
from typing import Any

import re2

from pymesh.proxy.matchers.compiled import BytesPredicate

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


def check_regex(pattern: str) -> None:
    """Raises ValueError with RE2's reason."""
    _compile(pattern)


def compile_full_match(pattern: str) -> BytesPredicate:
    """Whether the whole value matches (Envoy: RegexMatcher is a full match). Raises ValueError."""
    fullmatch = _compile(pattern).fullmatch
    return lambda value: fullmatch(value) is not None


def compile_replace(pattern: str, substitution: str) -> Callable[[bytes], bytes]:
    r"""Replaces every match, with `\0` to `\9` in the substitution for groups and `\\` for a backslash.

    https://www.envoyproxy.io/docs/envoy/latest/api-v3/type/matcher/v3/regex.proto (RegexMatchAndSubstitute).
    Raises ValueError.
    """
    regex = _compile(pattern)
    pieces = _split_substitution(substitution, regex.groups)

    def expand(match: Any) -> bytes:
        return b"".join(piece if isinstance(piece, bytes) else match.group(piece) or b"" for piece in pieces)

    return lambda text: regex.sub(expand, text)


def _compile(pattern: str) -> Any:
    try:
        return re2.compile(pattern.encode(), _OPTIONS)  # type: ignore[no-untyped-call]
    except re2.error as error:
        reason = error.args[0]
        raise ValueError(
            f"not a regular expression: {reason.decode() if isinstance(reason, bytes) else reason}"
        ) from None


def _split_substitution(substitution: str, groups: int) -> tuple[bytes | int, ...]:
    pieces: list[bytes | int] = []
    characters = iter(substitution)
    for character in characters:
        if character != "\\":
            pieces.append(character.encode())
            continue
        escaped = next(characters, "")
        if escaped == "\\":
            pieces.append(b"\\")
        elif escaped.isdecimal() and escaped.isascii() and int(escaped) <= groups:
            pieces.append(int(escaped))
        else:
            raise ValueError(f"{substitution!r} refers to a group that the regular expression does not have")
    return tuple(pieces)
