"""HTTP/2 clients of real processes, through a gateway and sidecars: curl to an application of HTTP/1.1, and gRPC."""

import json
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import grpc
import pytest
import trustme

RULES = """
apiVersion: v1
kind: Secret
metadata: {{name: server, namespace: istio-system}}
stringData: {secret}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: edge}}
spec:
  selector: {{istio: ingressgateway}}
  servers:
  - port: {{number: 80, name: http, protocol: HTTP}}
    hosts: ["*"]
  - port: {{number: 443, name: https, protocol: HTTPS}}
    hosts: ["*"]
    tls: {{mode: SIMPLE, credentialName: server}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: edge}}
spec:
  hosts: ["*"]
  gateways: [edge]
  http:
  - match: [{{uri: {{prefix: /demo.Greeter/Refused}}}}]
    fault: {{abort: {{httpStatus: 403, percentage: {{value: 100}}}}}}
    route: [{{destination: {{host: greeter}}}}]
  - match: [{{uri: {{prefix: /demo.Greeter/}}}}]
    route: [{{destination: {{host: greeter}}}}]
  - match: [{{uri: {{prefix: /fault}}}}]
    fault: {{abort: {{httpStatus: 503, percentage: {{value: 100}}}}}}
    route: [{{destination: {{host: web}}}}]
  - route: [{{destination: {{host: web}}}}]
"""


class Response(NamedTuple):
    version: str
    status: int
    body: str


Curl = Callable[..., Response]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def web(module_mesh: Any, authority: trustme.CA) -> Any:
    """A sidecar; the control plane and the rules are there, too."""
    module_mesh.control()
    certificate = authority.issue_cert("localhost")
    pair = {
        "tls.crt": certificate.cert_chain_pems[0].bytes().decode(),
        "tls.key": certificate.private_key_pem.bytes().decode(),
    }
    module_mesh.apply(RULES.format(secret=json.dumps(pair)))
    return module_mesh.proxy("web", module_mesh.http_app("web").port)


@pytest.fixture(scope="module")
def edge(module_mesh: Any, web: Any) -> dict[int, str]:
    """The addresses of a gateway, by the ports that its Gateway says."""
    gateway = module_mesh.gateway("--port-map", "80=0", "--port-map", "443=0")
    opened = {port: gateway.wait_line(rf"^listening on \S+:(\d+) \(Gateway port {port}\)") for port in (80, 443)}
    return {port: f"127.0.0.1:{found.group(1)}" for port, found in opened.items()}


@pytest.fixture(scope="module")
def curl() -> Curl:
    def run(url: str, *flags: str) -> Response:
        command = ["curl", "-sS", "-k", "-m", "10", "-w", "\n%{http_version} %{http_code}", *flags, url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 0, done.stderr
        body, _, last = done.stdout.rpartition("\n")
        version, status = last.split()
        return Response(version, int(status), body)

    return run


def test_curl_speaks_http_2_through_a_gateway(edge: dict[int, str], curl: Curl) -> None:
    for url, flag in ((f"http://{edge[80]}/a", "--http2-prior-knowledge"), (f"https://{edge[443]}/a", "--http2")):
        response = curl(url, flag, "-d", "x" * 100_000)
        assert (response.version, response.status) == ("2", 200)
        found = json.loads(response.body)
        assert (found["method"], found["path"], found["length"]) == ("POST", "/a", 100_000)
        assert found["headers"]["x-forwarded-proto"] == url.partition(":")[0]


def test_a_client_that_wants_http_1_gets_it(edge: dict[int, str], curl: Curl) -> None:
    assert curl(f"https://{edge[443]}/a", "--http1.1")[:2] == ("1.1", 200)
    assert curl(f"http://{edge[80]}/a")[:2] == ("1.1", 200)


def test_answers_of_the_gateway_itself_are_of_http_2(edge: dict[int, str], curl: Curl) -> None:
    response = curl(f"https://{edge[443]}/fault", "--http2")
    assert response == ("2", 503, "fault filter abort")


def test_an_application_speaks_http_2_to_its_sidecar(web: Any, curl: Curl) -> None:
    response = curl(f"http://{web.ports['outbound']}/b", "--http2-prior-knowledge", "-H", "Host: web")
    assert (response.version, response.status) == ("2", 200)
    assert json.loads(response.body)["path"] == "/b"


def hello(request: bytes, context: grpc.ServicerContext) -> bytes:
    context.set_trailing_metadata([("x-last", "word")])
    return b"hello " + request


def fail(request: bytes, context: grpc.ServicerContext) -> bytes:
    context.abort(grpc.StatusCode.NOT_FOUND, "nobody called " + request.decode())
    raise AssertionError


def echo(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
    for request in requests:
        yield request * 2


@pytest.fixture(scope="module")
def greeter(module_mesh: Any, web: Any) -> Iterator[Any]:
    """The sidecar of a gRPC server."""
    server = grpc.server(ThreadPoolExecutor(4))
    handlers = {
        "Hello": grpc.unary_unary_rpc_method_handler(hello),
        "Fail": grpc.unary_unary_rpc_method_handler(fail),
        "Echo": grpc.stream_stream_rpc_method_handler(echo),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("demo.Greeter", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield module_mesh.proxy("greeter", port, "--app-protocol", "grpc")
    server.stop(None)


@pytest.fixture(scope="module", params=["gateway", "gateway with TLS", "sidecar"])
def channel(
    request: pytest.FixtureRequest,
    module_mesh: Any,
    edge: dict[int, str],
    web: Any,
    greeter: Any,
    authority: trustme.CA,
) -> Iterator[grpc.Channel]:
    if request.param == "gateway with TLS":
        port = edge[443].rpartition(":")[2]
        opened = grpc.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(authority.cert_pem.bytes()))
    else:
        target = web.ports["outbound"] if request.param == "sidecar" else edge[80]
        opened = grpc.insecure_channel(target, [("grpc.default_authority", "greeter")])
    with opened as channel:
        module_mesh.wait_until(lambda: is_answered(channel), "the greeter's endpoint")
        yield channel


def is_answered(channel: grpc.Channel) -> bool:
    try:
        channel.unary_unary("/demo.Greeter/Hello")(b"", timeout=10)
    except grpc.RpcError:
        return False
    return True


def test_a_call_comes_back_with_its_trailers(channel: grpc.Channel) -> None:
    reply, call = channel.unary_unary("/demo.Greeter/Hello").with_call(b"you", timeout=10)
    assert reply == b"hello you"
    assert ("x-last", "word") in call.trailing_metadata()


def test_the_servers_status_is_the_callers(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as failure:
        channel.unary_unary("/demo.Greeter/Fail")(b"you", timeout=10)
    assert failure.value.code() is grpc.StatusCode.NOT_FOUND
    assert failure.value.details() == "nobody called you"


def test_messages_go_both_ways_at_a_time(channel: grpc.Channel) -> None:
    sent = [b"a" * size for size in (0, 1, 100_000, 10)]
    assert list(channel.stream_stream("/demo.Greeter/Echo")(iter(sent), timeout=10)) == [item * 2 for item in sent]


def test_a_fault_of_the_gateway_is_a_status_of_grpc(edge: dict[int, str], greeter: Any) -> None:
    with grpc.insecure_channel(edge[80]) as channel, pytest.raises(grpc.RpcError) as failure:
        channel.unary_unary("/demo.Greeter/Refused")(b"you", timeout=10)
    assert failure.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert failure.value.details() == "fault filter abort"


def test_calls_are_counted_as_grpc_with_their_status(channel: grpc.Channel, greeter: Any) -> None:
    channel.unary_unary("/demo.Greeter/Hello")(b"you", timeout=10)
    lines = greeter.read_admin("/stats/prometheus").body.decode().splitlines()
    counted = [line for line in lines if line.startswith("istio_requests_total") and 'grpc_response_status="0"' in line]
    assert counted
    assert all('request_protocol="grpc"' in line and 'response_code="200"' in line for line in counted)
