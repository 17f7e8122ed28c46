"""Which virtual host a host name belongs to: exact name, longest suffix wildcard, longest prefix wildcard, `*`.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route_components.proto (VirtualHost.domains)
"""

from typing import Generic, TypeVar

T = TypeVar("T")


class DomainTable(Generic[T]):
    """Names are compared without case. A wildcard stands for at least one character, `*` alone for anything."""

    __slots__ = ("_any", "_ignores_port", "_prefixes", "_suffixes", "exact")

    def __init__(self, ignores_port: bool = False) -> None:
        self._ignores_port = ignores_port
        self._any: T | None = None
        self.exact: dict[bytes, T] = {}
        # By length, longest first: one dict lookup for each length that occurs.
        self._suffixes: dict[int, dict[bytes, T]] = {}
        self._prefixes: dict[int, dict[bytes, T]] = {}

    def add(self, domain: str, value: T) -> None:
        name = domain.lower().encode()
        if name == b"*":
            self._any = value
        elif name.startswith(b"*"):
            self._suffixes = _insert(self._suffixes, name[1:], value)
        elif name.endswith(b"*"):
            self._prefixes = _insert(self._prefixes, name[:-1], value)
        elif not self._ignores_port or strip_port(name) == name:
            # With ports ignored, a domain that has one can never match.
            self.exact[name] = value

    def find(self, authority: bytes) -> T | None:
        value = self.exact.get(authority)
        return value if value is not None else self._find_slowly(authority.lower())

    def _find_slowly(self, host: bytes) -> T | None:
        if self._ignores_port:
            host = strip_port(host)
        value = self.exact.get(host)
        if value is not None:
            return value
        for length, suffixes in self._suffixes.items():
            if len(host) > length and (value := suffixes.get(host[-length:])) is not None:
                return value
        for length, prefixes in self._prefixes.items():
            if len(host) > length and (value := prefixes.get(host[:length])) is not None:
                return value
        return self._any


def strip_port(host: bytes) -> bytes:
    """`[::1]:80` -> `[::1]`; what has no port stays."""
    name, colon, port = host.rpartition(b":")
    return name if colon and port.isdigit() and (b":" not in name or name.endswith(b"]")) else host


def _insert(by_length: dict[int, dict[bytes, T]], part: bytes, value: T) -> dict[int, dict[bytes, T]]:
    by_length.setdefault(len(part), {})[part] = value
    return dict(sorted(by_length.items(), reverse=True))
