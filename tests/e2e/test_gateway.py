"""The gateway as a real process: ports that open and close with the Gateways, TLS from a Secret."""

import base64
import http.client
import json
import re
import socket
import ssl

import trustme

GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: {name}}}
spec:
  selector: {{istio: ingressgateway}}
  servers:
  - port: {{number: {port}, name: http, protocol: HTTP}}
    hosts: ["*"]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}}}
spec:
  hosts: ["*"]
  gateways: [{name}]
  http:
  - route: [{{destination: {{host: web}}}}]
"""

HTTPS = """
apiVersion: v1
kind: Secret
metadata: {{name: shop, namespace: istio-system}}
data: {{tls.crt: {certificate}, tls.key: {key}}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: web}}
spec:
  hosts: [shop.example.com]
  gateways: [web]
  http:
  - route: [{{destination: {{host: web}}}}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: web}}
spec:
  selector: {{istio: ingressgateway}}
  servers:
  - port: {{number: 443, name: https, protocol: HTTPS}}
    hosts: [shop.example.com]
    tls: {{mode: SIMPLE, credentialName: shop}}
"""


def listening_port(gateway, number: int) -> int:
    return int(gateway.wait_line(rf"^listening on \S+:(\d+) \(Gateway port {number}\)").group(1))


def routed_port(mesh, gateway, number: int) -> int:
    """Once its route is there, too: the VirtualService is applied after its Gateway."""
    port = listening_port(gateway, number)
    mesh.wait_until(lambda: mesh.http_get(f"http://127.0.0.1:{port}/").status == 200, f"the route of port {number}")
    return port


def start(mesh, *port_map: str):
    mesh.control()
    mesh.proxy("web", mesh.http_app("web").port)
    return mesh.gateway(*(flag for mapping in port_map for flag in ("--port-map", mapping)))


def test_a_gateway_listens_where_a_gateway_resource_says_and_routes(mesh) -> None:
    gateway = start(mesh, "80=0")
    mesh.apply(GATEWAY.format(name="web", port=80))
    port = routed_port(mesh, gateway, 80)
    answer = mesh.http_get(f"http://127.0.0.1:{port}/hello")
    assert (answer.status, answer.json["app"], answer.json["path"]) == (200, "web", "/hello")
    assert port in gateway.ports["listeners"].values()


def test_a_new_gateway_opens_a_port_and_its_end_closes_it_and_the_others_connections_stay(mesh) -> None:
    gateway = start(mesh, "80=0", "81=0")
    mesh.apply(GATEWAY.format(name="first", port=80))
    connection = http.client.HTTPConnection("127.0.0.1", routed_port(mesh, gateway, 80), timeout=10)
    connection.request("GET", "/")
    assert connection.getresponse().read()
    kept = connection.sock
    mesh.apply(GATEWAY.format(name="second", port=81))
    second = routed_port(mesh, gateway, 81)
    mesh.run("delete", "gateway", "second")
    gateway.wait_line(rf"no longer listening on \S+:{second} ")
    assert socket.socket().connect_ex(("127.0.0.1", second)) != 0
    connection.request("GET", "/again")
    assert json.loads(connection.getresponse().read())["path"] == "/again"
    assert connection.sock is kept


def test_https_is_served_with_the_certificate_of_a_secret(mesh) -> None:
    gateway = start(mesh, "443=0")
    ca = trustme.CA()
    issued = ca.issue_cert("shop.example.com")
    certificate = base64.b64encode(issued.cert_chain_pems[0].bytes()).decode()
    key = base64.b64encode(issued.private_key_pem.bytes()).decode()
    mesh.apply(HTTPS.format(certificate=certificate, key=key))
    trust = ssl.create_default_context(cadata=ca.cert_pem.bytes().decode())
    with (
        socket.create_connection(("127.0.0.1", listening_port(gateway, 443)), timeout=10) as plain,
        trust.wrap_socket(plain, server_hostname="shop.example.com") as connection,
    ):
        connection.sendall(b"GET / HTTP/1.1\r\nhost: shop.example.com\r\nconnection: close\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_port_that_is_taken_is_refused_with_the_reason_the_others_open_and_it_opens_when_it_is_free(mesh) -> None:
    with socket.create_server(("0.0.0.0", 0)) as occupied:
        taken = occupied.getsockname()[1]
        gateway = start(mesh, "80=0", f"81={taken}")
        mesh.apply(GATEWAY.format(name="taken", port=81))
        gateway.wait_line(rf"LDS rejected: \S+: cannot listen on 0\.0\.0\.0:{taken}: Address already in use")
        mesh.apply(GATEWAY.format(name="web", port=80))
        assert routed_port(mesh, gateway, 80)
        assert re.search("LDS REJECTED: .*Address already in use", mesh.run("proxy-status").stdout)
    assert listening_port(gateway, 81) == taken
    assert mesh.http_get(f"http://127.0.0.1:{taken}/").status == 200
    mesh.wait_until(lambda: "REJECTED" not in mesh.run("proxy-status").stdout, "its acceptance at the control plane")


def test_a_gateway_has_its_port_again_after_a_restart(mesh) -> None:
    gateway = start(mesh, "80=0")
    mesh.apply(GATEWAY.format(name="web", port=80))
    port = listening_port(gateway, 80)
    assert gateway.stop() == 0
    again = mesh.gateway("--port-map", "80=0")
    assert listening_port(again, 80) == port
