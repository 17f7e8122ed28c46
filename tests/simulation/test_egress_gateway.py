"""An egress gateway, found by sidecars as README.md says: by a Service and its address, as gateways do not register."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
RULES = """
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: books}
spec:
  hosts: [books.example.com]
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 443, name: tls, protocol: TLS}]
  resolution: STATIC
  endpoints: [{address: 192.0.2.7}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: egress}
spec:
  selector: {istio: egressgateway}
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: [books.example.com]}
  - {port: {number: 443, name: tls, protocol: TLS}, hosts: [books.example.com], tls: {mode: PASSTHROUGH}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: by-egress}
spec: {host: istio-egressgateway.istio-system.svc.cluster.local, subsets: [{name: books}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: by-egress}
spec:
  hosts: [books.example.com]
  gateways: [mesh, egress]
  http:
  - match: [{gateways: [mesh], port: 80}]
    route:
    - destination: {host: istio-egressgateway.istio-system.svc.cluster.local, subset: books, port: {number: 80}}
  - match: [{gateways: [egress], port: 80}]
    route: [{destination: {host: books.example.com, port: {number: 80}}}]
  tls:
  - match: [{gateways: [mesh], port: 443, sniHosts: [books.example.com]}]
    route:
    - destination: {host: istio-egressgateway.istio-system.svc.cluster.local, subset: books, port: {number: 443}}
  - match: [{gateways: [egress], port: 443, sniHosts: [books.example.com]}]
    route: [{destination: {host: books.example.com, port: {number: 443}}}]
"""
HTTP = {"request": "GET http://books.example.com/"}
TLS = {"request": "TCP tcp://192.0.2.7:443", "tls": True, "sni": "books.example.com"}
AT_GATEWAY = {"gateway": "default/egress"}


@pytest.fixture
def mesh(mesh_of):
    (service_and_address,) = re.findall(r"```yaml\n(.*?)```", README.read_text(), re.S)
    return mesh_of(service_and_address + RULES)


@pytest.mark.parametrize(
    ("fields", "cluster", "endpoint"),
    [
        (HTTP, "outbound|80|books|istio-egressgateway.istio-system.svc.cluster.local", "10.0.0.5:8080"),
        (TLS, "outbound|443|books|istio-egressgateway.istio-system.svc.cluster.local", "10.0.0.5:8443"),
        ({**HTTP, **AT_GATEWAY}, "outbound|80||books.example.com", "192.0.2.7:80"),
        (
            {**TLS, **AT_GATEWAY, "request": "TCP tcp://10.0.0.5:443"},
            "outbound|443||books.example.com",
            "192.0.2.7:443",
        ),
    ],
)
def test_sidecars_send_to_the_gateway_and_the_gateway_sends_on(mesh, fields, cluster, endpoint):
    answer = mesh.simulate(**fields)
    assert (answer.error, answer.cluster, answer.endpoints) == (None, cluster, (endpoint,))
