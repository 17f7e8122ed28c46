"""Which fields may follow a body.

A recipient that merges trailers into the head would obey those that are not here (RFC 9110 6.5.1): what frames, routes,
authenticates or negotiates has been decided by the head, and nobody behind us may read the message differently.
"""

from pymesh.proxy.codec.header_map import HeaderMap

_FORBIDDEN = frozenset(
    (
        # framing and connection
        *(b"transfer-encoding", b"content-length", b"connection", b"keep-alive", b"proxy-connection", b"upgrade"),
        *(b"te", b"trailer", b"http2-settings"),
        # routing
        *(b"host", b"max-forwards", b"forwarded", b"via"),
        # authentication
        *(b"authorization", b"proxy-authorization", b"proxy-authenticate", b"www-authenticate"),
        *(b"cookie", b"set-cookie"),
        # control and conditions
        *(b"cache-control", b"pragma", b"expect", b"range", b"age", b"expires", b"date", b"location", b"retry-after"),
        *(b"vary", b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since", b"if-range"),
        # the content's format
        *(b"content-encoding", b"content-type", b"content-range"),
    )
)
# What proxies say of each other and of who asks.
_FORBIDDEN_PREFIXES = (b"x-forwarded-", b"x-envoy-", b"x-request-id")


def drop_forbidden(trailers: HeaderMap) -> HeaderMap | None:
    """The same map without them, or None where nothing is left."""
    for name in tuple(trailers):
        if name in _FORBIDDEN or name.startswith(_FORBIDDEN_PREFIXES):
            trailers.remove(name)
    return trailers or None
