"""gRPC through two sidecars, with mTLS between them: client and server are Google's library's."""

import queue
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

CONFIG = "accessLogFile: /dev/stdout\n"
UPGRADED = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: payment}
spec:
  host: payment
  trafficPolicy: {connectionPool: {http: {h2UpgradePolicy: UPGRADE}}}
"""
EDGE = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: grpc, protocol: GRPC}, hosts: ["*"]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: edge}
spec:
  hosts: [greeter.example.com]
  gateways: [edge]
  http:
  - match: [{uri: {prefix: /demo.Greeter/}}]
    route: [{destination: {host: greeter}}]
"""
SERVICE = "demo.Greeter"


class Greeter:
    """Messages are bytes. `calls` has the metadata of each call, `failures` how often Flaky still fails, `broken_off`
    how many calls have ended before their answer."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.failures = 0
        self.broken_off = 0

    def hello(self, request: bytes, context: Any) -> bytes:
        self.calls.append(dict(context.invocation_metadata()))
        context.set_trailing_metadata((("x-done", "yes"),))
        return b"hello " + request

    def count(self, request: bytes, context: Any) -> Iterator[bytes]:
        for number in range(int(request)):
            yield b"%d" % number

    def echo(self, requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        for request in requests:
            yield request.upper()

    def sleep(self, request: bytes, context: Any) -> bytes:
        deadline = time.monotonic() + 10
        while context.is_active() and time.monotonic() < deadline:
            time.sleep(0.01)
        self.broken_off += not context.is_active()
        return b""

    def refuse(self, request: bytes, context: Any) -> bytes:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not now, caf\u00e9")
        return b""

    def flaky(self, request: bytes, context: Any) -> bytes:
        if self.failures:
            self.failures -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "later")
        return b"there"

    @property
    def handlers(self) -> Any:
        unary = {"Hello": self.hello, "Sleep": self.sleep, "Refuse": self.refuse, "Flaky": self.flaky}
        methods = {name: grpc.unary_unary_rpc_method_handler(method) for name, method in unary.items()}
        methods["Count"] = grpc.unary_stream_rpc_method_handler(self.count)
        methods["Echo"] = grpc.stream_stream_rpc_method_handler(self.echo)
        return grpc.method_handlers_generic_handler(SERVICE, methods)


@pytest.fixture(scope="module")
def greeter() -> Iterator[Any]:
    """The application, and its port."""
    greeter = Greeter()
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((greeter.handlers,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield greeter, port
    server.stop(None)


@pytest.fixture(scope="module")
def web(module_mesh: Any, greeter: Any) -> Any:
    """The client's sidecar; the server's is there, too."""
    config = module_mesh.state_dir / "mesh.yaml"
    config.write_text(CONFIG)
    module_mesh.control("--mesh-config", str(config))
    module_mesh.proxy("greeter", greeter[1], "--app-protocol", "grpc", "--service-account", "greeter")
    return module_mesh.proxy("web", module_mesh.http_app("web").port, "--service-account", "web")


def connect(address: str, service: str) -> grpc.Channel:
    options = [("grpc.default_authority", service), ("grpc.enable_retries", 0), ("grpc.enable_http_proxy", 0)]
    return grpc.insecure_channel(f"ipv4:{address}", options=options)


@pytest.fixture(scope="module")
def channel(web: Any) -> Iterator[grpc.Channel]:
    with connect(web.ports["outbound"], "greeter") as channel:
        yield channel


def test_a_call_is_answered_over_mtls(channel: grpc.Channel, greeter: Any) -> None:
    answer, call = channel.unary_unary(f"/{SERVICE}/Hello").with_call(b"you", timeout=10, metadata=[("x-one", "1")])
    assert answer == b"hello you"
    assert ("x-done", "yes") in call.trailing_metadata()
    metadata = greeter[0].calls[-1]
    assert metadata["x-one"] == "1"
    assert "URI=spiffe://cluster.local/ns/default/sa/web" in metadata["x-forwarded-client-cert"]


def test_a_server_streams(channel: grpc.Channel) -> None:
    assert list(channel.unary_stream(f"/{SERVICE}/Count")(b"500", timeout=10)) == [b"%d" % n for n in range(500)]


def test_both_ends_stream_in_turns(channel: grpc.Channel) -> None:
    """Each message goes only when the answer to the one before has come."""
    come: queue.Queue[bytes] = queue.Queue()

    def talk() -> Iterator[bytes]:
        yield b"a"
        for number in range(3):
            yield come.get(timeout=10).lower() + b"%d" % number

    answers = []
    for answer in channel.stream_stream(f"/{SERVICE}/Echo")(talk(), timeout=20):
        answers.append(answer)
        come.put(answer)
    assert answers == [b"A", b"A0", b"A01", b"A012"]


def test_a_large_message_goes_through_every_window(channel: grpc.Channel) -> None:
    message = b"x" * 3_000_000
    assert channel.unary_unary(f"/{SERVICE}/Hello")(message, timeout=20) == b"hello " + message


def test_a_deadline_ends_the_call_at_both_ends(module_mesh: Any, channel: grpc.Channel, greeter: Any) -> None:
    begun = time.monotonic()
    with pytest.raises(grpc.RpcError) as error:
        channel.unary_unary(f"/{SERVICE}/Sleep")(b"", timeout=0.5)
    # The sidecar's timer runs as long as the client's own, and may be the first: its answer is 504, UNAVAILABLE.
    assert error.value.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)
    assert time.monotonic() - begun < 5
    module_mesh.wait_until(lambda: greeter[0].broken_off, "the end of the call at the server")


def test_an_error_has_its_status_and_its_text(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as error:
        channel.unary_unary(f"/{SERVICE}/Refuse")(b"", timeout=10)
    assert (error.value.code(), error.value.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "not now, caf\u00e9")


def test_an_unavailable_server_is_asked_again(channel: grpc.Channel, greeter: Any) -> None:
    greeter[0].failures = 2
    assert channel.unary_unary(f"/{SERVICE}/Flaky")(b"", timeout=10) == b"there"
    assert greeter[0].failures == 0


def test_a_call_comes_in_by_a_gateway(module_mesh: Any, web: Any) -> None:
    module_mesh.apply(EDGE)
    gateway = module_mesh.gateway("--port-map", "80=0")
    opened = gateway.wait_line(r"^listening on \S+:(\d+) \(Gateway port 80\)")
    address = f"127.0.0.1:{opened.group(1)}"
    with connect(address, "greeter.example.com") as channel:
        assert channel.unary_unary(f"/{SERVICE}/Hello")(b"you", timeout=10) == b"hello you"
        assert list(channel.unary_stream(f"/{SERVICE}/Count")(b"3", timeout=10)) == [b"0", b"1", b"2"]
    with connect(address, "another.example.com") as channel, pytest.raises(grpc.RpcError) as error:
        channel.unary_unary(f"/{SERVICE}/Hello")(b"", timeout=10)
    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED  # what 404 is to gRPC


def test_a_service_that_is_not_there_is_unavailable(web: Any) -> None:
    with connect(web.ports["outbound"], "nobody.invalid") as channel, pytest.raises(grpc.RpcError) as error:
        channel.unary_unary(f"/{SERVICE}/Hello")(b"", timeout=10)
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE


def test_requests_of_http_1_are_upgraded_between_the_sidecars(module_mesh: Any, web: Any) -> None:
    payment = module_mesh.proxy("payment", module_mesh.http_app("payment").port)
    module_mesh.wait_until(lambda: web.get("http://payment/before").status == 200, "the service at the sidecar")
    payment.wait_line(r'"GET /before HTTP/1.1" 200')
    module_mesh.apply(UPGRADED)
    module_mesh.wait_until(lambda: "http2_protocol_options" in _cluster_of_payment(web), "the rule at the sidecar")
    answer = web.get("http://payment/after")
    assert answer.json["app"] == "payment"
    payment.wait_line(r'"GET /after HTTP/2" 200')


def _cluster_of_payment(web: Any) -> str:
    dump: str = web.read_admin("/config_dump").body.decode()
    return dump.partition("payment.default.svc.cluster.local")[2]
