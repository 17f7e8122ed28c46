from typing import Any

import pytest

from pymesh.proxy.downstream.hcm_config import HttpFilterConfig
from pymesh.proxy.http_filters import dynamic_forward_proxy
from pymesh.proxy.http_filters.dynamic_forward_proxy import DynamicForwardProxy
from pymesh.proxy.http_filters.live_router import Router
from pymesh.proxy.http_filters.router import RouterConfig

GET = b"GET / HTTP/1.1\r\nHost: example:8080\r\n\r\n"


class SlowDns:
    """Stands for the cluster: its answer comes when the test says."""

    is_dynamic_forward_proxy = True

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.answer: Any = None

    def resolve(self, authority: bytes, callback: Any) -> bool:
        self.asked.append(authority)
        self.answer = callback
        return False


@pytest.fixture
def dns(proxy: Any) -> SlowDns:
    dns = SlowDns()
    config = HttpFilterConfig(dynamic_forward_proxy.NAME, dynamic_forward_proxy.FACTORY, None)
    proxy.route(proxy.forward(), filters=(config,))
    waiting = DynamicForwardProxy(None, proxy.context)
    waiting._get_cluster = lambda name: dns
    proxy.use_filters(waiting, Router(RouterConfig(), proxy.context))
    return dns


async def test_a_request_waits_for_its_host(proxy: Any, dns: SlowDns) -> None:
    client = proxy.connect()
    client.send(GET)
    await proxy.settle()
    assert dns.asked == [b"example:8080"]
    assert proxy.servers == []
    dns.answer(None)
    server = await proxy.server()
    assert server.received.startswith(b"GET / HTTP/1.1\r\nhost: example:8080\r\n")


async def test_a_host_that_does_not_exist_is_503(proxy: Any, dns: SlowDns) -> None:
    client = proxy.connect()
    client.send(GET)
    dns.answer("name_not_known")
    assert client.received.startswith(b"HTTP/1.1 503 ")
    assert proxy.info.response_flags == ("DF",)


async def test_an_answer_for_a_client_that_left_is_nothing(proxy: Any, dns: SlowDns) -> None:
    client = proxy.connect()
    client.send(GET)
    client.hang_up()
    dns.answer(None)
    await proxy.settle()
    assert proxy.servers == []
    assert len(proxy.requests) == 1
