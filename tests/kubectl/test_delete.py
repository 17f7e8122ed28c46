"""kubectl delete."""

import pytest

from kubectl.client import Kubectl
from kubectl.objects import NAME, SERVICE, VIRTUAL_SERVICE


def test_by_file_label_and_all(kubectl: Kubectl) -> None:
    deleted = 'virtualservice.networking.istio.io "reviews" deleted'
    for arguments in (("-f", "-"), ("vs", "-l", "app=reviews"), ("vs", "--all"), ("vs", "reviews", "--now")):
        kubectl("apply", "-f", "-", input=VIRTUAL_SERVICE)
        assert kubectl("delete", *arguments, input=VIRTUAL_SERVICE).out.startswith(deleted)
        kubectl("get", NAME, code=1)
    assert "NotFound" in kubectl("delete", NAME, code=1).err
    kubectl("delete", NAME, "--ignore-not-found")


@pytest.mark.parametrize("policy", ["background", "orphan", "foreground"])
def test_every_policy_of_propagation(kubectl: Kubectl, policy: str) -> None:
    kubectl("apply", "-f", "-", input=VIRTUAL_SERVICE)
    kubectl("delete", NAME, f"--cascade={policy}")
    kubectl("get", NAME, code=1)


def test_an_object_with_finalizers_goes_when_the_last_of_them_is_gone(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", input=VIRTUAL_SERVICE.replace("labels:", "finalizers: [example.com/wait], labels:"))
    kubectl("delete", NAME, "--wait=false")
    assert kubectl("get", NAME, "-o", "jsonpath={.metadata.deletionTimestamp}").out != ""
    added = '{"metadata": {"finalizers": ["example.com/wait", "example.com/late"]}}'
    assert "is being deleted" in kubectl("patch", NAME, "--type=merge", "-p", added, code=1).err
    kubectl("patch", NAME, "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
    assert "NotFound" in kubectl("get", NAME, code=1).err


def test_a_dry_run_deletes_nothing(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", input=VIRTUAL_SERVICE)
    assert "(server dry run)" in kubectl("delete", NAME, "--dry-run=server").out
    kubectl("get", NAME)


def test_a_namespace_goes_with_all_that_is_in_it(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", input=VIRTUAL_SERVICE + "---\n" + SERVICE)
    kubectl("delete", "namespace", kubectl.namespace)
    assert kubectl("get", "vs,svc", "-o", "name").out == ""
    assert kubectl("get", "namespace", kubectl.namespace, "--ignore-not-found").out == ""
    whole = f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {kubectl.namespace}}}\n---\n{VIRTUAL_SERVICE}"
    kubectl("apply", "-f", "-", input=whole)
    assert kubectl("delete", "-f", "-", input=whole).out.count(" deleted") == 2
    assert "may not be deleted" in kubectl("delete", "namespace", "default", code=1).err
