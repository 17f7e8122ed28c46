"""envoy.config.route.v3.RedirectAction: where a redirect points to. Pure."""

from dataclasses import dataclass

from pymesh.protojson import Reader
from pymesh.proxy.matchers.compiled import Request
from pymesh.proxy.matchers.path_matcher import PathMatcher
from pymesh.proxy.routing.path_rewrite import PathRewrite, decode_path_rewrite

CODES = {
    "MOVED_PERMANENTLY": 301,
    "FOUND": 302,
    "SEE_OTHER": 303,
    "TEMPORARY_REDIRECT": 307,
    "PERMANENT_REDIRECT": 308,
}
_DEFAULT_PORTS = {b"http": b"80", b"https": b"443"}


@dataclass(frozen=True, slots=True)
class RedirectAction:
    """What is empty or None stays as the request has it. A query in `path` replaces the request's."""

    code: int = 301
    scheme: bytes = b""
    host: bytes = b""
    port: int = 0
    path: bytes = b""
    path_rewrite: PathRewrite | None = None
    strip_query: bool = False

    def location(self, request: Request) -> bytes:
        """The Location header (Envoy: RouteEntryImplBase::newUri)."""
        scheme = self.scheme or request.scheme
        return scheme + b"://" + self._authority(request, scheme) + self._path(request.path)

    def _authority(self, request: Request, scheme: bytes) -> bytes:
        port = b":%d" % self.port if self.port else b""
        if self.host:
            return self.host + port
        host, own_port = _split_port(request.authority)
        # With another scheme, the old one's default port would point to the wrong place.
        is_stale = scheme != request.scheme and own_port == _DEFAULT_PORTS.get(request.scheme)
        return host + port if port or is_stale else request.authority

    def _path(self, path: bytes) -> bytes:
        bare, mark, query = path.partition(b"?")
        tail = b"" if self.strip_query else mark + query
        if self.path:
            return self.path if b"?" in self.path else self.path + tail
        if self.path_rewrite is not None:
            bare = self.path_rewrite.rewrite(bare)
        return bare + tail


HTTPS_REDIRECT = RedirectAction(scheme=b"https")


def decode_redirect(reader: Reader, matcher: PathMatcher) -> RedirectAction:
    """https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route_components.proto (RedirectAction)"""
    reader.oneof("https_redirect", "scheme_redirect")
    reader.oneof("path_redirect", "prefix_rewrite", "regex_rewrite")
    is_https = reader.boolean("https_redirect")
    return RedirectAction(
        code=CODES[reader.enum("response_code", tuple(CODES))],
        scheme=b"https" if is_https else reader.string("scheme_redirect").lower().encode(),
        host=reader.string("host_redirect").encode(),
        port=reader.integer("port_redirect"),
        path=reader.string("path_redirect").encode(),
        path_rewrite=decode_path_rewrite(reader, matcher),
        strip_query=reader.boolean("strip_query"),
    )


def _split_port(authority: bytes) -> tuple[bytes, bytes]:
    host, colon, port = authority.rpartition(b":")
    return (host, port) if colon and port.isdigit() else (authority, b"")
