"""kubectl apply --server-side: field managers and their conflicts."""

import json

from kubectl.client import Kubectl
from kubectl.objects import NAME, SERVICE, VIRTUAL_SERVICE

METADATA = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: reviews, labels: {labels}}}
"""


def server_side(kubectl: Kubectl, manager: str, text: str, *flags: str, code: int = 0) -> str:
    done = kubectl("apply", "--server-side", f"--field-manager={manager}", *flags, "-f", "-", input=text, code=code)
    return done.out + done.err


def owners(kubectl: Kubectl) -> dict[str, str]:
    shown = json.loads(kubectl("get", NAME, "-o", "json", "--show-managed-fields").out)
    return {entry["manager"]: entry["operation"] for entry in shown["metadata"]["managedFields"]}


def test_two_managers_share_an_object(kubectl: Kubectl) -> None:
    server_side(kubectl, "routes", VIRTUAL_SERVICE)
    server_side(kubectl, "labels", METADATA.format(labels="{team: a}"))
    assert owners(kubectl) == {"routes": "Apply", "labels": "Apply"}
    conflict = server_side(kubectl, "labels", METADATA.format(labels="{team: a, app: other}"), code=1)
    assert 'Apply failed with 1 conflict: conflict with "routes": .metadata.labels.app' in conflict
    server_side(kubectl, "labels", METADATA.format(labels="{team: a, app: other}"), "--force-conflicts")
    assert kubectl("get", NAME, "-o", "jsonpath={.metadata.labels}").out == '{"app":"other","team":"a"}'
    server_side(kubectl, "labels", METADATA.format(labels="{app: other}"))
    assert kubectl("get", NAME, "-o", "jsonpath={.metadata.labels}").out == '{"app":"other"}'


def test_who_writes_otherwise_is_a_manager_too(kubectl: Kubectl) -> None:
    server_side(kubectl, "routes", VIRTUAL_SERVICE)
    kubectl("patch", NAME, "--type=merge", "-p", '{"spec":{"hosts":["reviews","ratings"]}}')
    assert owners(kubectl) == {"routes": "Apply", "kubectl-patch": "Update"}
    conflict = server_side(kubectl, "routes", VIRTUAL_SERVICE, code=1)
    assert 'conflict with "kubectl-patch" using networking.istio.io/v1: .spec.hosts' in conflict


def test_an_object_moves_from_client_side_to_server_side(each_kubectl: Kubectl) -> None:
    each_kubectl("apply", "-f", "-", input=VIRTUAL_SERVICE)
    each_kubectl("apply", "--server-side", "-f", "-", input=VIRTUAL_SERVICE.replace("3s", "5s"))
    assert each_kubectl("get", NAME, "-o", "jsonpath={.spec.http[0].timeout}").out == "5s"
    assert owners(each_kubectl)["kubectl"] == "Apply"


def test_ports_of_a_service_have_owners_of_their_own(kubectl: Kubectl) -> None:
    server_side(kubectl, "one", SERVICE)
    other = SERVICE.replace("{port: 9080, name: http}, {port: 9443, name: https}", "{port: 15014, name: metrics}")
    server_side(kubectl, "two", other)
    assert kubectl("get", "service", "reviews", "-o", "jsonpath={.spec.ports[*].port}").out == "9080 9443 15014"
    server_side(kubectl, "one", SERVICE.replace(", {port: 9443, name: https}", ""))
    assert kubectl("get", "service", "reviews", "-o", "jsonpath={.spec.ports[*].port}").out == "9080 15014"


def test_applying_the_same_again_changes_nothing(kubectl: Kubectl) -> None:
    server_side(kubectl, "routes", VIRTUAL_SERVICE)
    before = kubectl("get", NAME, "-o", "yaml", "--show-managed-fields").out
    server_side(kubectl, "routes", VIRTUAL_SERVICE)
    assert kubectl("get", NAME, "-o", "yaml", "--show-managed-fields").out == before
