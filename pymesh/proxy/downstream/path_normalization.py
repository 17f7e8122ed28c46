"""One path, one meaning: dot segments, backslashes, needless escapes and repeated slashes go before routes are matched.

Otherwise `/public/../admin` would be one path for a route or a policy and another one for the server behind it.
https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto#envoy-v3-api-field-extensions-filters-network-http-connection-manager-v3-httpconnectionmanager-normalize-path
"""

import re

from pymesh.proxy.downstream.hcm_config import (
    KEEP_ESCAPED_SLASHES,
    REJECT_ESCAPED_SLASHES,
    HttpConnectionManagerConfig,
)

_SUSPICIOUS = re.compile(rb"/\.|//|[\\%\"<>^`{|}]")
_ESCAPED_SLASH = re.compile(rb"%(?:2[fF]|5[cC])")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_NO_PATH_CHARACTER = re.compile(rb"[\"<>^`{|}]")  # RFC 3986 3.3
# `/..;a=b/` is `/../` for many servers; the parameter ends with a slash, and not with a backslash.
_DOTS_WITH_PARAMETER = re.compile(rb"(?<=[/\\])(\.\.?);[^/]*")
_SLASHES = re.compile(rb"/{2,}")


class PathNormalizer:
    """Compiled from the configuration."""

    __slots__ = ("_escaped_slashes", "_merges_slashes", "_normalizes", "is_enabled")

    def __init__(self, config: HttpConnectionManagerConfig) -> None:
        self._normalizes = config.normalize_path
        self._merges_slashes = config.merge_slashes
        self._escaped_slashes = config.path_with_escaped_slashes_action
        self.is_enabled = self._normalizes or self._merges_slashes or self._escaped_slashes != KEEP_ESCAPED_SLASHES

    def normalize(self, target: bytes) -> bytes | None:
        """The target with its path normalized and its query as it is; None: reject the request."""
        if _SUSPICIOUS.search(target) is None:
            return target
        path, mark, query = target.partition(b"?")
        if b"%00" in path:
            return None  # where somebody's path ends; refused as by Envoy
        if self._escaped_slashes != KEEP_ESCAPED_SLASHES and _ESCAPED_SLASH.search(path) is not None:
            if self._escaped_slashes == REJECT_ESCAPED_SLASHES:
                return None
            path = _ESCAPED_SLASH.sub(b"/", path)
        if self._normalizes:
            path = _remove_dot_segments(_with_one_spelling(path))
        if self._merges_slashes:
            path = _SLASHES.sub(b"/", path)
        return path + mark + query


def _with_one_spelling(path: bytes) -> bytes:
    path = _DOTS_WITH_PARAMETER.sub(rb"\1", path)
    path = _ESCAPE.sub(_unescape, path).replace(b"\\", b"/")
    return _NO_PATH_CHARACTER.sub(_escape, path)


def _escape(match: re.Match[bytes]) -> bytes:
    return b"%%%02X" % match[0][0]


def _unescape(match: re.Match[bytes]) -> bytes:
    """RFC 3986 6.2.2.2: an escaped unreserved character is that character."""
    character = int(match[1], 16)
    return bytes((character,)) if character in _UNRESERVED else match[0]


def _remove_dot_segments(path: bytes) -> bytes:
    """RFC 3986 5.2.4 for an absolute path."""
    kept: list[bytes] = []
    segments = path.split(b"/")[1:]
    for segment in segments:
        if segment == b"..":
            if kept:
                kept.pop()
        elif segment != b".":
            kept.append(segment)
    if segments[-1] in (b".", b".."):
        kept.append(b"")
    return b"/" + b"/".join(kept)
