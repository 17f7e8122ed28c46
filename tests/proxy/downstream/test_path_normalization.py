from typing import Any

import pytest

from pymesh.proxy.downstream.hcm_config import HttpConnectionManagerConfig
from pymesh.proxy.downstream.path_normalization import PathNormalizer

NORMALIZE = HttpConnectionManagerConfig(normalize_path=True)
MERGE = HttpConnectionManagerConfig(normalize_path=True, merge_slashes=True)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"/a/b?c=../d", b"/a/b?c=../d"),
        (b"/a/../b", b"/b"),
        (b"/a/./b/.", b"/a/b/"),
        (b"/../../a/..", b"/"),
        (b"/public/%2e%2E/admin", b"/admin"),
        (b"/a\\..\\b", b"/b"),
        (b"/%61%2Fb%20", b"/a%2Fb%20"),
        (b"/a//b", b"/a//b"),
        (b"/.hidden", b"/.hidden"),
        (b"/a/%zz", b"/a/%zz"),
    ],
)
def test_a_path_has_one_form(before: bytes, after: bytes) -> None:
    assert PathNormalizer(NORMALIZE).normalize(before) == after


def test_normalizing_twice_changes_nothing_more() -> None:
    normalizer = PathNormalizer(MERGE)
    once = normalizer.normalize(b"/a/%2e%2e//b/..\\c%2F")
    assert once is not None
    assert normalizer.normalize(once) == once


def test_slashes_are_merged_where_that_is_asked_for() -> None:
    assert PathNormalizer(MERGE).normalize(b"//a///b?x=//") == b"/a/b?x=//"


def test_escaped_slashes_are_rejected_or_unescaped() -> None:
    reject = HttpConnectionManagerConfig(path_with_escaped_slashes_action="REJECT_REQUEST")
    unescape = HttpConnectionManagerConfig(normalize_path=True, path_with_escaped_slashes_action="UNESCAPE_AND_FORWARD")
    assert PathNormalizer(reject).normalize(b"/a%2fb") is None
    assert PathNormalizer(unescape).normalize(b"/a%2F..%5cb") == b"/b"


def test_it_is_off_by_default() -> None:
    assert not PathNormalizer(HttpConnectionManagerConfig()).is_enabled


async def test_routes_see_the_normalized_path(proxy: Any) -> None:
    proxy.route(proxy.forward(prefix="/admin"), normalize_path=True)
    client = proxy.connect()
    client.send(b"GET /public/../admin HTTP/1.1\r\nHost: shop\r\n\r\n")
    server = await proxy.server()
    assert server.received.startswith(b"GET /admin HTTP/1.1\r\n")
