"""Where requests carry tokens, and how they are taken away. Envoy: extractor.cc."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol
from urllib.parse import unquote_to_bytes

from pymesh.proxy.codec.header_map import HeaderMap

_NOT_A_TOKEN = re.compile(rb"[^A-Za-z0-9_.-]*")


class Carrier(Protocol):
    """What of a request may carry a token; `path` has the query."""

    headers: HeaderMap
    path: bytes


@dataclass(frozen=True, slots=True)
class Location:
    """`kind` is header, param or cookie; of a header's value, the token is what follows `prefix`."""

    kind: str
    name: str
    prefix: str = ""


DEFAULT_LOCATIONS = (Location("header", "authorization", "Bearer "), Location("param", "access_token"))


class FoundToken(NamedTuple):
    """Tokens of other issuers than `issuers` do not count here; None: any may."""

    text: bytes
    location: Location
    issuers: frozenset[str] | None


class Extractor:
    """The locations of several providers, with the issuers whose tokens are looked for there."""

    def __init__(self, providers: Iterable[tuple[str, tuple[Location, ...]]]) -> None:
        """Pairs of an issuer, empty for any, and its locations."""
        issuers: dict[Location, list[str]] = {}
        for issuer, locations in providers:
            for location in locations or DEFAULT_LOCATIONS:
                issuers.setdefault(location, []).append(issuer)
        order = ("header", "param", "cookie")
        self._locations = tuple(
            (location, None if "" in issuers[location] else frozenset(issuers[location]))
            for location in sorted(issuers, key=lambda item: (order.index(item.kind), item.name, item.prefix))
        )

    def find(self, carrier: Carrier) -> list[FoundToken]:
        return [
            FoundToken(text, location, issuers)
            for location, issuers in self._locations
            for text in _FINDERS[location.kind](carrier, location)
        ]


def remove(carrier: Carrier, location: Location) -> None:
    """A cookie stays, as in Envoy."""
    if location.kind == "header":
        carrier.headers.remove(location.name.encode())
    elif location.kind == "param":
        path, _, query = carrier.path.partition(b"?")
        kept = [pair for pair in query.split(b"&") if _parameter(pair)[0] != location.name.encode()]
        carrier.path = path + (b"?" + b"&".join(kept) if kept else b"")


def _find_header(carrier: Carrier, location: Location) -> Iterator[bytes]:
    prefix = location.prefix.encode()
    for value in carrier.headers.get_all(location.name.encode()):
        start = value.find(prefix)
        if start >= 0:
            yield _from_first_token_character(value, start + len(prefix)) if prefix else value


def _from_first_token_character(value: bytes, start: int) -> bytes:
    skipped = _NOT_A_TOKEN.match(value, start)
    assert skipped is not None  # it matches nothing, too
    return value[skipped.end() :] or value


def _find_param(carrier: Carrier, location: Location) -> Iterator[bytes]:
    name = location.name.encode()
    for pair in carrier.path.partition(b"?")[2].split(b"&"):
        key, value = _parameter(pair)
        if key == name:
            yield value
            return


def _parameter(pair: bytes) -> tuple[bytes, bytes]:
    name, _, value = pair.partition(b"=")
    return unquote_to_bytes(name), unquote_to_bytes(value)


def _find_cookie(carrier: Carrier, location: Location) -> Iterator[bytes]:
    wanted = location.name.encode()
    for field in carrier.headers.get_all(b"cookie"):
        for pair in field.split(b";"):
            name, _, value = pair.strip().partition(b"=")
            if name == wanted:
                yield value.strip(b'"')
                return


_FINDERS = {"header": _find_header, "param": _find_param, "cookie": _find_cookie}
