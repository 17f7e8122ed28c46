"""Sidecar objects where the application sends its requests to the sidecar: the HTTP proxy, and ports at loopback."""

MESH = """
apiVersion: v1
kind: Service
metadata: {name: a}
spec: {selector: {app: a}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: b, namespace: shop}
spec: {selector: {app: b}, ports: [{name: http, port: 80}, {name: tcp, port: 5432}]}
---
"""
A, B = "outbound|80||a.default.svc.cluster.local", "outbound|80||b.shop.svc.cluster.local"


def scope(spec: str) -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {{name: default}}
spec: {{{spec}}}
---
"""


def test_http_proxy_knows_what_is_imported(sidecar):
    mesh = sidecar(MESH + scope("egress: [{hosts: ['./*']}]"))
    assert mesh.send("http://a/").cluster == A
    assert mesh.send("http://b.shop/").cluster == "PassthroughCluster"
    assert sidecar(MESH).send("http://b.shop/").cluster == B


def test_registry_only_holds_for_requests_and_tunnels(sidecar):
    policy = scope("egress: [{hosts: ['./*']}], outboundTrafficPolicy: {mode: REGISTRY_ONLY}")
    mesh = sidecar(MESH + policy)
    assert mesh.send("http://b.shop/").status == 502
    assert mesh.send("http://b.shop:5432", method="CONNECT").status == 502
    assert mesh.send("http://a/").cluster == A


def test_port_of_a_sidecar_is_opened_at_loopback(sidecar):
    listeners = (
        "{port: {number: 15432, protocol: TCP, name: db}, bind: 127.0.0.2, hosts: ['shop/*']}",
        "{port: {number: 80, protocol: HTTP, name: http}, hosts: ['shop/*']}",
        "{port: {number: 3128, protocol: HTTP_PROXY, name: proxy}, hosts: ['*/*']}",
        "{hosts: ['./*']}",
    )
    mesh = sidecar(MESH + scope(f"egress: [{', '.join(listeners)}]"))
    found = {name for resources in mesh.resources.values() for name in resources}
    assert {"127.0.0.1_80", "127.0.0.1_3128", "80", "3128", "http_proxy"} <= found
    assert "127.0.0.2_15432" not in found  # no service of the listener has the port
    assert "virtualOutbound" not in found
    assert mesh.send("http://b.shop/").cluster == B


def test_tcp_route_of_some_destinations_is_for_services_at_such_an_address(sidecar):
    rule = """
apiVersion: v1
kind: Service
metadata: {name: %s}
spec: {clusterIP: %s, selector: {app: db}, ports: [{name: tcp, port: 5432}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: %s}
spec:
  hosts: [%s]
  tcp: [{match: [{destinationSubnets: [10.1.0.0/16]}], route: [{destination: {host: other, port: {number: 1}}}]}]
---
"""
    mesh = sidecar(rule % ("in", "10.1.2.3", "in", "in") + rule % ("out", "10.2.2.3", "out", "out"))
    assert mesh.send("http://in:5432", method="CONNECT").cluster == "outbound|1||other.default.svc.cluster.local"
    assert mesh.send("http://out:5432", method="CONNECT").cluster == "outbound|5432||out.default.svc.cluster.local"


def test_passthrough_balancer_goes_where_the_request_says(sidecar):
    rule = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: a}
spec: {host: a, trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}}
"""
    clusters = next(group for group in sidecar(MESH + rule).resources.values() if A in group)
    assert clusters[A]["cluster_type"]["name"] == "envoy.clusters.dynamic_forward_proxy"


def test_tunnel_to_a_tls_service_goes_as_its_server_name_would(sidecar):
    rules = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: out}
spec: {hosts: ["*.example.com"], ports: [{number: 443, name: tls, protocol: TLS}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: out}
spec:
  hosts: ["*.example.com"]
  tls:
  - match: [{sniHosts: ["*.example.com"], sourceLabels: {app: other}}]
    route: [{destination: {host: nobody}}]
  - match: [{sniHosts: ["*.example.com"]}]
    route: [{destination: {host: egress.example.net, port: {number: 8443}}}]
"""
    mesh = sidecar(MESH + rules)
    assert mesh.send("http://a.example.com:443", method="CONNECT").cluster == "outbound|8443||egress.example.net"
