from typing import Any

import pytest

from pymesh.errors import DecodeError
from pymesh.protojson import Reader
from pymesh.proxy.downstream.hcm_config import HttpFilterConfig
from pymesh.proxy.http_filters import fault
from pymesh.proxy.http_filters.fault import FaultConfig, decode_fault
from pymesh.proxy.routing.route import Route

GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


def use(proxy: Any, config: FaultConfig, of_route: FaultConfig | None = None) -> Any:
    route = proxy.forward()
    configs = {} if of_route is None else {fault.NAME: of_route}
    faulty = Route("faulty", route.match, route.action, filter_configs=configs)
    proxy.route(faulty, filters=(HttpFilterConfig(fault.NAME, fault.FACTORY, config),))
    return proxy.connect()


async def test_an_abort_answers_in_the_servers_place(proxy: Any) -> None:
    client = use(proxy, FaultConfig(abort_status=503, abort_percentage=100.0))
    client.send(GET)
    assert client.received.endswith(b"\r\n\r\nfault filter abort")
    assert client.received.startswith(b"HTTP/1.1 503 ")
    assert (proxy.info.response_flags, proxy.info.response_code_details) == (("FI",), "fault_filter_abort")
    assert proxy.servers == []


@pytest.mark.parametrize(("chance", "aborts"), [(0.24, True), (0.25, False)])
async def test_an_abort_hits_its_share(proxy: Any, chance: float, aborts: bool) -> None:
    proxy.chance = chance
    client = use(proxy, FaultConfig(abort_status=503, abort_percentage=25.0))
    client.send(GET)
    assert (b"fault" in client.received) == aborts


async def test_a_delay_holds_the_request_and_its_body(proxy: Any) -> None:
    client = use(proxy, FaultConfig(delay=2.0, delay_percentage=100.0))
    client.send(b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 3\r\n\r\nabc")
    await proxy.settle()
    assert proxy.servers == []
    proxy.clock.advance(2.0)
    server = await proxy.server()
    assert server.received.endswith(b"\r\n\r\nabc")
    server.send(OK)
    assert proxy.info.response_flags == ("DI",)


async def test_a_long_body_stops_the_client_during_a_delay(proxy: Any) -> None:
    client = use(proxy, FaultConfig(delay=2.0, delay_percentage=100.0))
    client.send(b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 80000\r\n\r\n" + b"x" * 70_000)
    assert not client.is_reading
    proxy.clock.advance(2.0)
    await proxy.settle()
    assert client.is_reading


async def test_an_abort_may_come_after_a_delay(proxy: Any) -> None:
    client = use(proxy, FaultConfig(2.0, 100.0, abort_status=500, abort_percentage=100.0))
    client.send(GET)
    assert client.received == b""
    proxy.clock.advance(2.0)
    assert client.received.startswith(b"HTTP/1.1 500 ")
    assert set(proxy.info.response_flags) == {"DI", "FI"}


async def test_a_client_that_leaves_during_a_delay_is_logged_once(proxy: Any) -> None:
    client = use(proxy, FaultConfig(delay=2.0, delay_percentage=100.0))
    client.send(GET)
    client.hang_up()
    proxy.clock.advance(2.0)
    assert len(proxy.requests) == 1
    assert proxy.servers == []


async def test_the_routes_config_replaces_the_filters(proxy: Any) -> None:
    client = use(proxy, FaultConfig(), of_route=FaultConfig(abort_status=418, abort_percentage=100.0))
    client.send(GET)
    assert client.received.startswith(b"HTTP/1.1 418 ")


async def test_a_grpc_abort_is_a_200_with_a_status(proxy: Any) -> None:
    client = use(proxy, FaultConfig(abort_grpc_status=14, abort_percentage=100.0))
    client.send(GET[:-2] + b"Content-Type: application/grpc\r\n\r\n")
    assert client.received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"grpc-status: 14\r\n" in client.received


def test_a_config_is_decoded() -> None:
    value = {
        "delay": {"fixed_delay": "0.5s", "percentage": {"numerator": 50, "denominator": "HUNDRED"}},
        "abort": {"http_status": 500, "percentage": {"numerator": 100}},
    }
    assert decode_fault(Reader(value)) == FaultConfig(0.5, 50.0, 500, None, 100.0)


@pytest.mark.parametrize("value", [{"delay": {}}, {"abort": {}}, {"abort": {"http_status": 99}}])
def test_half_a_config_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(DecodeError):
        decode_fault(Reader(value))
