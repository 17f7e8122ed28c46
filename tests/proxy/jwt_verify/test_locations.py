from types import SimpleNamespace
from typing import Any

import pytest

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.jwt_verify.locations import Extractor, Location, remove


def request(path: bytes = b"/", **headers: str) -> Any:
    return SimpleNamespace(
        path=path, headers=HeaderMap((name.encode(), value.encode()) for name, value in headers.items())
    )


def texts(carrier: Any, *locations: Location) -> list[bytes]:
    return [found.text for found in Extractor([("me", locations)]).find(carrier)]


def test_by_default_a_token_is_a_bearer_or_an_access_token() -> None:
    carrier = request(b"/a?x=1&access_token=t2", authorization="Bearer t1")
    assert texts(carrier) == [b"t1", b"t2"]
    assert texts(request(authorization="Basic t1")) == []


@pytest.mark.parametrize(
    ("location", "found"),
    [
        (Location("header", "x-token"), [b"plain t"]),
        (Location("header", "x-token", "plain "), [b"t"]),
        (Location("param", "q"), [b"a b"]),
        (Location("cookie", "c"), [b"v"]),
        (Location("cookie", "d"), []),
    ],
)
def test_a_token_is_found_where_it_is_said_to_be(location: Location, found: list[bytes]) -> None:
    carrier = request(b"/?q=a%20b&q=z", **{"x-token": "plain t", "cookie": "b=1; c=v"})
    assert texts(carrier, location) == found


def test_a_place_counts_for_the_issuers_that_named_it() -> None:
    both = Extractor([("a", (Location("header", "t"),)), ("b", (Location("header", "t"),))])
    assert both.find(request(t="x"))[0].issuers == {"a", "b"}
    assert Extractor([("", (Location("header", "t"),))]).find(request(t="x"))[0].issuers is None


def test_a_token_is_taken_out_of_the_header_or_the_query() -> None:
    carrier = request(b"/a?x=%20&t=1&y", authorization="Bearer t1")
    remove(carrier, Location("header", "authorization"))
    remove(carrier, Location("param", "t"))
    assert (carrier.path, dict(carrier.headers)) == (b"/a?x=%20&y", {})
    remove(carrier, Location("param", "x"))
    remove(carrier, Location("param", "y"))
    assert carrier.path == b"/a"
