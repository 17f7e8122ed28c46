"""Hosts within hosts."""

import pytest

from pymesh.control.model.validation.host_cover import HostCover


@pytest.mark.parametrize(
    ("hosts", "host", "wildcard"),
    [
        (["*.com", "*.b.com"], "a.b.com", "*.b.com"),
        (["*.com"], "*.com", None),
        (["*.com"], "*.b.com", "*.com"),
        (["*"], "a", "*"),
        (["*"], "*", None),
        (["*.b.com"], "b.com", None),
        (["*x.com"], "ax.com", "*x.com"),
        (["a.com"], "a.com", None),
    ],
)
def test_the_narrowest_wildcard_is_found(hosts: list[str], host: str, wildcard: str | None) -> None:
    cover = HostCover(hosts)
    assert cover.wildcard_of(host) == wildcard
    assert cover.covers(host) == (host in hosts or wildcard is not None)
