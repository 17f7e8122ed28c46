"""HTTP/2 clients of real processes: curl through a gateway and a sidecar, to an application of HTTP/1.1."""

import json
import subprocess
from collections.abc import Callable
from typing import Any, NamedTuple

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
def web(module_mesh: Any) -> Any:
    """A sidecar; the control plane and the rules are there, too."""
    module_mesh.control()
    certificate = trustme.CA().issue_cert("web.example.com")
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
