"""A rule that kubectl applies is obeyed by the sidecars."""

from pathlib import Path
from typing import Any

from kubectl.client import Kubectl, expect_program

SAMPLE = """\
apiVersion: v1
kind: Service
metadata: {name: payment}
spec: {ports: [{name: http, port: 9080, targetPort: http}], selector: {app: payment}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: payment-v1}
spec: {replicas: 1}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: payment}
spec:
  host: payment
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: payment}
spec:
  hosts: [payment]
  http:
  - route: [{destination: {host: payment, subset: v1}}]
"""


def test_a_rule_of_kubectl_is_obeyed(mesh: Any, tmp_path: Path) -> None:
    mesh.control()
    for version in ("v1", "v2"):
        mesh.proxy("payment", mesh.http_app(version).port, "--version", version, "--label", "app=payment")
    web = mesh.proxy("web", mesh.http_app("web").port)
    kubectl = Kubectl(expect_program(), mesh.addresses["listen"], tmp_path, "default")

    def answers_only(version: str) -> bool:
        return {web.get("http://payment:9080/").json["app"] for _ in range(4)} == {version}

    # The registry has put a Service there, with port 80, which makes room for the one that is declared.
    kubectl("apply", "-f", "-", input=SAMPLE)
    assert kubectl("get", "service", "payment", "-o", "jsonpath={.spec.ports[*].port}").out == "9080"
    mesh.wait_until(lambda: answers_only("v1"), "v1 alone")
    to_v2 = '[{"op": "replace", "path": "/spec/http/0/route/0/destination/subset", "value": "v2"}]'
    kubectl("patch", "vs", "payment", "--type=json", "-p", to_v2)
    mesh.wait_until(lambda: answers_only("v2"), "v2 alone")
    kubectl("delete", "vs", "payment")
    mesh.wait_until(lambda: not answers_only("v2"), "both versions")
    assert kubectl("get", "workloadentries", "-o", "wide").out.count("Healthy") == 3
