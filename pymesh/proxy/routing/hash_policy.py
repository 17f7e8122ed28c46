"""envoy.config.route.v3.RouteAction.HashPolicy: which part of a request a consistent-hashing cluster hashes. Pure.

The hash is Envoy's, xxHash64, and so are the bytes that it is made of: both proxies send a key to the same endpoint.
"""

from collections.abc import Callable
from dataclasses import dataclass

from xxhash import xxh64_intdigest

from pymesh.protojson import Reader
from pymesh.proxy.matchers.compiled import Request

KINDS = ("header", "cookie", "connection_properties", "query_parameter")


@dataclass(frozen=True, slots=True)
class HashPolicy:
    """`kind` is one of KINDS and `name` what is looked at; the source IP has no name.

    A cookie with a `ttl` (seconds; 0: a session cookie) is made where the request has none. A `terminal` policy that
    yields a hash ends the list.
    """

    kind: str
    name: bytes = b""
    terminal: bool = False
    ttl: float | None = None
    path: str = ""
    attributes: tuple[tuple[str, str], ...] = ()  # further ones of the cookie

    def value(self, request: Request) -> bytes | None:
        value = _VALUES[self.kind](request, self.name)
        return self._generated(request) if self.ttl is not None and not value else value

    def set_cookie(self, request: Request) -> bytes | None:
        """The Set-Cookie header of the response, where the request came without the cookie."""
        if self.ttl is None or _cookie(request, self.name):
            return None
        attributes = [f"; Max-Age={int(self.ttl)}"] if self.ttl >= 1 else []
        attributes += [f"; Path={self.path}"] if self.path else []
        attributes += [f"; {name}={value}" if value else f"; {name}" for name, value in self.attributes]
        return b'%s="%s"%s; HttpOnly' % (self.name, self._generated(request), "".join(attributes).encode())

    def _generated(self, request: Request) -> bytes:
        """Of the connection's two ends, as Envoy does, so that a client's first requests stay together."""
        return b"%016x" % xxh64_intdigest(f"{request.remote_address}{request.local_address}".encode())


def combine_hashes(policies: tuple[HashPolicy, ...], request: Request) -> int | None:
    """64 bits, or None where no policy found its part of the request: then any endpoint will do."""
    combined: int | None = None
    for policy in policies:
        value = policy.value(request)
        if value is not None:
            new = xxh64_intdigest(value)
            # Rotated, so that two equal parts do not cancel each other out.
            combined = new if combined is None else ((combined << 1 | combined >> 63) & (1 << 64) - 1) ^ new
        if policy.terminal and combined is not None:
            break
    return combined


def used_policies(policies: tuple[HashPolicy, ...], request: Request) -> tuple[HashPolicy, ...]:
    """Without those behind a terminal one that ended the list."""
    for i, policy in enumerate(policies):
        if policy.terminal and combine_hashes(policies[: i + 1], request) is not None:
            return policies[: i + 1]
    return policies


def hash_source_ip(remote_address: str) -> int:
    return xxh64_intdigest(_ip(remote_address))


def _ip(address: str) -> bytes:
    """Of `host:port` the address alone, IPv6 without brackets."""
    return address.rpartition(":")[0].strip("[]").encode()


def decode_hash_policy(reader: Reader) -> HashPolicy:
    """https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route_components.proto (HashPolicy)"""
    kind = reader.oneof(*KINDS)
    if kind is None:
        reader.fail("policy_specifier", f"one of {', '.join(KINDS)} is required")
    specifier = reader.required_object(kind)
    terminal = reader.boolean("terminal")
    if kind == "header":
        return HashPolicy(kind, specifier.required_string("header_name").lower().encode(), terminal)
    if kind == "cookie":
        return _decode_cookie(specifier, terminal)
    if kind == "query_parameter":
        return HashPolicy(kind, specifier.required_string("name").encode(), terminal)
    if not specifier.boolean("source_ip"):
        specifier.fail("source_ip", "must be true")
    return HashPolicy(kind, b"", terminal)


def _decode_cookie(reader: Reader, terminal: bool) -> HashPolicy:
    return HashPolicy(
        kind="cookie",
        name=reader.required_string("name").encode(),
        terminal=terminal,
        ttl=reader.duration("ttl"),
        path=reader.string("path"),
        attributes=tuple((item.required_string("name"), item.string("value")) for item in reader.objects("attributes")),
    )


def _header(request: Request, name: bytes) -> bytes | None:
    """All values of the header, sorted: their order shall not matter."""
    if name in _PSEUDO_HEADERS:
        return _PSEUDO_HEADERS[name](request)
    headers = request.headers
    return b"".join(sorted(headers.get_all(name))) if headers.repeated else headers.get(name)


def _cookie(request: Request, name: bytes) -> bytes | None:
    for header in request.headers.get_all(b"cookie"):
        for pair in header.split(b";"):
            key, _, value = pair.strip().partition(b"=")
            if key == name:
                return value.strip(b'"') or None
    return None


def _query_parameter(request: Request, name: bytes) -> bytes | None:
    """As it stands in the path: Envoy decodes nothing here."""
    for pair in request.path.partition(b"?")[2].split(b"&"):
        key, _, value = pair.partition(b"=")
        if key == name:
            return value
    return None


def _source_ip(request: Request, _name: bytes) -> bytes:
    return _ip(request.remote_address)


_PSEUDO_HEADERS: dict[bytes, Callable[[Request], bytes]] = {
    b":authority": lambda request: request.authority,
    b"host": lambda request: request.authority,
    b":path": lambda request: request.path,
    b":method": lambda request: request.method,
    b":scheme": lambda request: request.scheme,
}
_VALUES: dict[str, Callable[[Request, bytes], bytes | None]] = {
    "header": _header,
    "cookie": _cookie,
    "connection_properties": _source_ip,
    "query_parameter": _query_parameter,
}
