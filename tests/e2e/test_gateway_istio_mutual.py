"""A gateway that workloads of the mesh call over mTLS, as those do that let traffic out."""

RULES = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: egress}}
spec:
  selector: {{istio: ingressgateway}}
  servers:
  - port: {{number: 443, name: https, protocol: HTTPS}}
    hosts: [out.example.com]
    tls: {{mode: ISTIO_MUTUAL{names}}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: outside}}
spec:
  hosts: [outside.internal]
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP}}]
  endpoints: [{{address: 127.0.0.1, ports: {{http: {app}}}}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: egress}}
spec:
  hosts: [out.example.com]
  gateways: [egress]
  http: [{{route: [{{destination: {{host: outside.internal}}}}]}}]
---
"""
CALLER = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: way-out}}
spec:
  hosts: [out.example.com]
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP}}]
  endpoints: [{{address: 127.0.0.1, ports: {{http: {port}}}}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: way-out}}
spec:
  host: out.example.com
  trafficPolicy:
    tls:
      mode: ISTIO_MUTUAL
      sni: out.example.com
"""
WEB = "spiffe://cluster.local/ns/default/sa/default"


def test_a_workload_of_the_mesh_calls_a_gateway_over_mtls_and_only_one_that_is_named_may(mesh) -> None:
    mesh.control()
    web = mesh.proxy("web", mesh.http_app("web").port)
    gateway = mesh.gateway("--port-map", "443=0")
    app = mesh.http_app("outside").port
    mesh.apply(RULES.format(app=app, names=f', subjectAltNames: ["{WEB}"]'))
    port = int(gateway.wait_line(r"^listening on \S+:(\d+) \(Gateway port 443\)").group(1))
    mesh.apply(CALLER.format(port=port))
    answer = mesh.wait_until(lambda: _answered(web), "an answer through the gateway")
    told = answer.json["headers"]["x-forwarded-client-cert"]
    assert told.startswith("By=spiffe://cluster.local/ns/")
    assert f"URI={WEB}" in told
    mesh.apply(RULES.format(app=app, names=', subjectAltNames: ["spiffe://cluster.local/ns/default/sa/other"]'))
    mesh.wait_until(lambda: web.get("http://out.example.com/").status == 503, "the refusal of who is not named")


def _answered(web):
    answer = web.get("http://out.example.com/")
    return answer if answer.status == 200 else None
