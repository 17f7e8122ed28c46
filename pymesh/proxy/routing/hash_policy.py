"""envoy.config.route.v3.RouteAction.HashPolicy: which part of a request a consistent-hashing cluster hashes. Pure.

Two proxies, and one proxy after a restart, must hash alike, so Python's own salted hash() will not do.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from pymesh.protojson import Reader
from pymesh.proxy.matchers.compiled import Request
from pymesh.proxy.matchers.query_parameter_matcher import query_parameter

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
        return _VALUES[self.kind](request, self.name) or (self._generated(request) if self.ttl is not None else None)

    def set_cookie(self, request: Request) -> bytes | None:
        """The Set-Cookie header of the response, where the request came without the cookie."""
        if self.ttl is None or _cookie(request, self.name):
            return None
        attributes = [f"; Max-Age={self.ttl:.0f}"] if self.ttl else []
        attributes += [f"; Path={self.path}"] if self.path else []
        attributes += [f"; {name}={value}" if value else f"; {name}" for name, value in self.attributes]
        return b'%s="%s"%s; HttpOnly' % (self.name, self._generated(request), "".join(attributes).encode())

    def _generated(self, request: Request) -> bytes:
        """Of the connection's two ends, as Envoy does, so that a client's first requests stay together."""
        return b"%016x" % stable_hash(f"{request.remote_address}|{request.local_address}".encode())


def combine_hashes(policies: tuple[HashPolicy, ...], request: Request) -> int | None:
    """64 bits, or None where no policy found its part of the request: then any endpoint will do."""
    combined: int | None = None
    for policy in policies:
        value = policy.value(request)
        if value is not None:
            new = stable_hash(value)
            # Rotated, so that two equal parts do not cancel each other out.
            combined = new if combined is None else ((combined << 1 | combined >> 63) & (1 << 64) - 1) ^ new
            if policy.terminal:
                break
    return combined


def stable_hash(value: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(value, digest_size=8).digest(), "little")


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
    return request.authority if name in (b":authority", b"host") else request.headers.get_joined(name)


def _cookie(request: Request, name: bytes) -> bytes | None:
    for header in request.headers.get_all(b"cookie"):
        for pair in header.split(b";"):
            key, _, value = pair.strip().partition(b"=")
            if key == name:
                return value.strip(b'"')
    return None


def _source_ip(request: Request, _name: bytes) -> bytes:
    return request.remote_address.rpartition(":")[0].encode()


_VALUES: dict[str, Callable[[Request, bytes], bytes | None]] = {
    "header": _header,
    "cookie": _cookie,
    "connection_properties": _source_ip,
    "query_parameter": lambda request, name: query_parameter(request.path, name),
}
