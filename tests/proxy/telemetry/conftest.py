"""A finished stream from web to payment, and the two proxies that report it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import pytest

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.telemetry.stream_info import StreamInfo
from pymesh.proxy.telemetry.workload import Workload

WEB = Workload("web-v1", "default", "web", "v1", "pymesh")
PAYMENT = Workload("payment-v2", "shop", "payment", "v2", "pymesh")
PAYMENT_PRINCIPAL = "spiffe://cluster.local/ns/shop/sa/payment"


@dataclass
class Host:
    address: str
    workload: Workload


class Service(NamedTuple):
    name: str
    namespace: str
    host: str


PAYMENT_SERVICE = Service("payment", "shop", "payment.shop.svc.cluster.local")


@pytest.fixture
def web() -> Workload:
    return WEB


@pytest.fixture
def payment() -> Workload:
    return PAYMENT


@pytest.fixture
def web_principal() -> str:
    return "spiffe://cluster.local/ns/default/sa/web"


@pytest.fixture
def payment_principal() -> str:
    return PAYMENT_PRINCIPAL


@pytest.fixture
def make_info() -> Callable[..., StreamInfo]:
    """An outbound mTLS request of web's sidecar; keyword arguments replace fields."""

    def make(**fields: object) -> StreamInfo:
        info = StreamInfo(start=10.0, start_time=1_790_000_000.5)
        info.end = 10.0075
        info.downstream_local_address = "127.0.0.1:15001"
        info.downstream_remote_address = "127.0.0.1:40000"
        info.method, info.path, info.protocol = b"GET", b"/pay?amount=3", b"HTTP/1.1"
        info.request_headers = HeaderMap(
            [(b"host", b"payment.shop"), (b"x-request-id", b"6d1c"), (b"user-agent", b"u")]
        )
        info.response_headers = HeaderMap([(b"x-envoy-upstream-service-time", b"6")])
        info.response_code, info.response_code_details = 200, "via_upstream"
        info.bytes_received, info.bytes_sent = 0, 1024
        info.route_name = "default"
        info.upstream_cluster = "outbound|80|v2|payment.shop.svc.cluster.local"
        info.upstream_host = Host("127.0.0.1:9001", PAYMENT)
        info.upstream_local_address = "127.0.0.1:50000"
        info.upstream_principal = PAYMENT_PRINCIPAL
        info.is_mtls = True
        info.service = PAYMENT_SERVICE
        for name, value in fields.items():
            setattr(info, name, value)
        return info

    return make
