"""kubectl get, describe, wait, explain, and what it finds out about the server."""

import json
import re
from pathlib import Path

import pytest

from kubectl.client import Kubectl
from kubectl.objects import NAME, SAMPLE, VIRTUAL_SERVICE
from pymesh.cli import main


def test_get_prints_tables(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", input=SAMPLE)
    header, row = kubectl("get", "vs").out.splitlines()
    assert header.split() == ["NAME", "GATEWAYS", "HOSTS", "AGE", "STATUS"]
    assert row.split()[:2] == ["reviews", '["reviews"]']
    wide = kubectl("get", "svc", "-o", "wide").out.splitlines()
    assert wide[0].split() == ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE", "SELECTOR"]
    everywhere = kubectl("get", "virtualservices", "-A").out
    assert re.search(rf"^{kubectl.namespace} +reviews ", everywhere, re.MULTILINE)
    labelled = kubectl("get", "vs", "-L", "app", "--show-labels").out
    assert labelled.splitlines()[1].split()[-2:] == ["reviews", "app=reviews"]
    assert kubectl("get", "istio-io", "-o", "name").out == f"{NAME}\n"
    assert kubectl("get", "vs,svc", "-o", "name").out == f"{NAME}\nservice/reviews\n"


def test_get_selects_and_sorts(kubectl: Kubectl) -> None:
    for name in ("c", "a", "b"):
        labels = f"name: {name}, labels: {{app: {name}}}"
        kubectl("apply", "-f", "-", input=VIRTUAL_SERVICE.replace("name: reviews, labels: {app: reviews}", labels))

    def names(*arguments: str) -> list[str]:
        return [line.rpartition("/")[2] for line in kubectl("get", "vs", "-o", "name", *arguments).out.split()]

    assert names("-l", "app in (a,b)") == ["a", "b"]
    assert names("-l", "app!=a") == ["b", "c"]
    assert names("--field-selector", "metadata.name=b") == ["b"]
    assert names("--chunk-size=1") == ["a", "b", "c"]
    newest_first = kubectl("get", "vs", "--sort-by=.metadata.creationTimestamp", "--no-headers").out
    assert [line.split()[0] for line in newest_first.splitlines()] == ["c", "a", "b"]


def test_get_writes_objects(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", input=VIRTUAL_SERVICE)
    whole = json.loads(kubectl("get", NAME, "-o", "json").out)
    assert (whole["apiVersion"], whole["kind"]) == ("networking.istio.io/v1", "VirtualService")
    assert json.loads(kubectl("get", "vs", "-o", "json").out)["items"] == [whole]
    assert "hosts:\n  - reviews" in kubectl("get", NAME, "-o", "yaml").out
    columns = kubectl("get", "vs", "-o", "custom-columns=N:.metadata.name,T:.spec.http[0].timeout").out
    assert columns.splitlines()[1].split() == ["reviews", "3s"]


def test_get_watches(each_kubectl: Kubectl) -> None:
    kubectl = each_kubectl
    kubectl("apply", "-f", "-", input=VIRTUAL_SERVICE)
    watching = kubectl.start("get", "vs", "-w")
    assert watching.stdout is not None
    try:
        assert watching.stdout.readline().split()[0] == "NAME"
        assert watching.stdout.readline().split()[:2] == ["reviews", '["reviews"]']
        kubectl("patch", NAME, "--type=merge", "-p", '{"spec":{"hosts":["ratings"]}}')
        assert watching.stdout.readline().split()[:2] == ["reviews", '["ratings"]']
    finally:
        watching.terminate()
        watching.wait()
        watching.stdout.close()


def test_describe(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", input=SAMPLE)
    described = kubectl("describe", NAME).out
    assert re.search(r"^Name: +reviews$", described, re.MULTILINE)
    assert re.search(r"^ +Timeout: +3s$", described, re.MULTILINE)
    assert "Events:  " in described
    for kind in ("service", "namespace"):
        name = "reviews" if kind == "service" else kubectl.namespace
        assert re.search(rf"^Name: +{name}$", kubectl("describe", kind, name).out, re.MULTILINE)


WORKLOAD_GROUP = """
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: {name: reviews}
spec: {template: {}}
"""


def test_wait(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", input=VIRTUAL_SERVICE)
    kubectl("wait", NAME, "--for=jsonpath={.spec.hosts[0]}=reviews", "--timeout=5s")
    kubectl("apply", "-f", "-", input=WORKLOAD_GROUP)  # to whose status nobody else has something to say
    status = {"status": {"conditions": [{"type": "Checked", "status": "True"}]}}
    kubectl("patch", "workloadgroup/reviews", "--subresource=status", "--type=merge", "-p", json.dumps(status))
    kubectl("wait", "workloadgroup/reviews", "--for=condition=Checked", "--timeout=5s")
    waiting = kubectl.start("wait", NAME, "--for=delete", "--timeout=15s")
    kubectl("delete", NAME)
    assert waiting.wait() == 0
    assert waiting.stdout is not None
    waiting.stdout.close()


def test_explain_has_our_own_texts(each_kubectl: Kubectl) -> None:
    retries = each_kubectl("explain", "virtualservice.spec.http.retries").out
    assert "FIELD: retries <HTTPRetry>" in retries
    assert re.search(r"^  perTryTimeout\t<string>$", retries, re.MULTILINE)
    assert "attempts" in retries
    assert "hosts" in each_kubectl("explain", "vs", "--recursive").out
    assert "FIELDS" in each_kubectl("explain", "svc.spec.ports", "--output=plaintext-openapiv2").out


def test_the_server_says_what_it_has(kubectl: Kubectl) -> None:
    resources = kubectl("api-resources", "--no-headers", "-o", "wide").out
    virtual_services = next(line for line in resources.splitlines() if line.startswith("virtualservices "))
    assert virtual_services.split()[:5] == ["virtualservices", "vs", "networking.istio.io/v1", "true", "VirtualService"]
    versions = kubectl("api-versions").out.split()
    assert {"v1", "networking.istio.io/v1alpha3", "security.istio.io/v1beta1"} <= set(versions)
    assert "Server Version" in kubectl("version").out
    assert kubectl("auth", "can-i", "create", "vs").out == "yes\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("get", "vs", "nobody", "-n", "default"),
            'Error from server (NotFound): virtualservices.networking.istio.io "nobody" not found',
        ),
        (("get", "vs", "--field-selector=spec.host=a"), "Error from server (BadRequest)"),
        (("get", "nonsense"), """the server doesn't have a resource type "nonsense\""""),
        (("get", "--raw", "/apis/networking.istio.io/v1/virtualservices?continue=x"), "not a token"),
        (("get", "--raw", "/apis/networking.istio.io/v1/virtualservices?watch=1&resourceVersion=999999"), "too old"),
    ],
)
def test_what_cannot_be_read_is_a_status(kubectl: Kubectl, arguments: tuple[str, ...], message: str) -> None:
    assert message in kubectl(*arguments, code=1).err


def test_a_kubeconfig_of_pymesh_leads_here(kubectl: Kubectl, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    assert main(["kubeconfig", "--server", kubectl.server, "--namespace", kubectl.namespace, "-o", str(path)]) == 0
    kubectl("apply", "-f", "-", input=VIRTUAL_SERVICE)
    listed = kubectl.plain("get", "vs", "-o", "name", KUBECONFIG=str(path))
    assert listed.out == f"{NAME}\n"
