import socket

import pytest

from pymesh.proxy.upstream.dns import SystemResolver, choose_family


async def test_the_system_knows_localhost():
    assert await SystemResolver().resolve("localhost", "V4_ONLY") == ("127.0.0.1",)


async def test_the_system_says_so_when_a_name_is_unknown():
    with pytest.raises(socket.gaierror):
        await SystemResolver().resolve("no-such-host.invalid", "AUTO")


@pytest.mark.parametrize(
    ("family", "chosen"),
    [
        ("AUTO", ("::1",)),
        ("V4_PREFERRED", ("10.0.0.1",)),
        ("ALL", ("10.0.0.1", "::1")),
        ("V4_ONLY", ("10.0.0.1", "::1")),
    ],
)
def test_families_are_chosen_as_envoy_does(family, chosen):
    assert choose_family(["10.0.0.1", "::1", "10.0.0.1"], family) == chosen


def test_auto_falls_back_to_ipv4():
    assert choose_family(["10.0.0.1"], "AUTO") == ("10.0.0.1",)
