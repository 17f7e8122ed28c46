"""kubectl create, replace, patch, edit, label, annotate."""

import pytest

from kubectl.client import Kubectl
from kubectl.objects import NAME, SERVICE, VIRTUAL_SERVICE


def test_create_and_replace(kubectl: Kubectl) -> None:
    assert kubectl("create", "-f", "-", input=VIRTUAL_SERVICE).out == f"{NAME} created\n"
    assert "AlreadyExists" in kubectl("create", "-f", "-", input=VIRTUAL_SERVICE, code=1).err
    read = kubectl("get", NAME, "-o", "yaml").out
    assert kubectl("replace", "-f", "-", input=read.replace("3s", "4s")).out == f"{NAME} replaced\n"
    stale = kubectl("replace", "-f", "-", input=read.replace("3s", "5s"), code=1).err
    assert 'Error from server (Conflict): error when replacing "STDIN": Operation cannot be fulfilled on' in stale
    assert kubectl("replace", "--force", "-f", "-", input=VIRTUAL_SERVICE).out.endswith(f"{NAME} replaced\n")


def test_the_core_kinds_are_created_by_their_commands(each_kubectl: Kubectl) -> None:
    """These commands speak protobuf."""
    kubectl = each_kubectl
    namespace = f"made-{kubectl.namespace}"
    assert kubectl("create", "namespace", namespace).out == f"namespace/{namespace} created\n"
    kubectl("wait", f"namespace/{namespace}", "--for=jsonpath={.status.phase}=Active", "--timeout=5s")
    kubectl("create", "configmap", "texts", "--from-literal=a=b")
    kubectl("create", "secret", "generic", "keys", "--from-literal=a=b")
    kubectl("create", "serviceaccount", "bot")
    kubectl("create", "service", "clusterip", "web", "--tcp=80:8080")
    kubectl("create", "deployment", "web", "--image=web")
    assert kubectl("get", "configmap", "texts", "-o", "jsonpath={.data}").out == '{"a":"b"}'
    assert kubectl("get", "secret", "keys", "-o", "jsonpath={.data.a}").out == "Yg=="
    assert kubectl("get", "service", "web", "-o", "jsonpath={.spec.ports[0].targetPort}").out == "8080"
    assert kubectl("get", "namespace", namespace, "--no-headers").out.split()[:2] == [namespace, "Active"]


def test_patches_of_three_types(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", input=VIRTUAL_SERVICE + "---\n" + SERVICE)
    merge = '{"spec":{"hosts":["ratings"],"exportTo":["."]},"metadata":{"labels":{"app":null}}}'
    assert kubectl("patch", NAME, "--type=merge", "-p", merge).out == f"{NAME} patched\n"
    kubectl("patch", NAME, "--type=json", "-p", '[{"op":"replace","path":"/spec/http/0/timeout","value":"9s"}]')
    shown = kubectl(
        "get", NAME, "-o", "jsonpath={.spec.hosts}{.spec.exportTo}{.metadata.labels}{.spec.http[0].timeout}"
    )
    assert shown.out == '["ratings"]["."]9s'
    kubectl("patch", "service", "reviews", "-p", '{"spec":{"ports":[{"port":9443,"name":"tls"}]}}')
    assert kubectl("get", "service", "reviews", "-o", "jsonpath={.spec.ports[*].name}").out == "http tls"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-p", "{}"), "application/strategic-merge-patch+json is not supported by networking.istio.io/v1"),
        (("--type=json", "-p", '[{"op":"remove","path":"/spec/tcp"}]'), "remove /spec/tcp: there is no 'tcp'"),
        (("--type=merge", "-p", '{"spec":{"hosts":["*.*"]}}'), "spec.hosts[0]"),
        (("--type=merge", "-p", '{"metadata":{"resourceVersion":"1"}}'), "Operation cannot be fulfilled"),
        (("--type=merge", "-p", '{"metadata":{"name":"other"}}'), "the object is named other"),
    ],
)
def test_a_bad_patch_is_refused(kubectl: Kubectl, arguments: tuple[str, ...], message: str) -> None:
    kubectl("apply", "-f", "-", input=VIRTUAL_SERVICE)
    assert message in kubectl("patch", NAME, *arguments, code=1).err


def test_edit(each_kubectl: Kubectl) -> None:
    each_kubectl("apply", "-f", "-", input=VIRTUAL_SERVICE + "---\n" + SERVICE)
    edited = each_kubectl("edit", NAME, KUBE_EDITOR="sed -i s/3s/7s/")
    assert edited.out == f"{NAME} edited\n"
    assert each_kubectl("get", NAME, "-o", "jsonpath={.spec.http[0].timeout}").out == "7s"
    each_kubectl("edit", "service/reviews", KUBE_EDITOR="sed -i s/9443/9444/")
    assert each_kubectl("get", "service", "reviews", "-o", "jsonpath={.spec.ports[*].port}").out == "9080 9444"


def test_label_and_annotate(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", input=VIRTUAL_SERVICE)
    kubectl("label", NAME, "team=a", "app-")
    assert "--overwrite is false" in kubectl("label", NAME, "team=b", code=1).err
    kubectl("annotate", NAME, "note=two words")
    shown = kubectl("get", NAME, "-o", "jsonpath={.metadata.labels}{.metadata.annotations.note}{.metadata.generation}")
    assert shown.out == '{"team":"a"}two words1'


def test_a_namespace_that_nobody_created_can_be_labelled(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", input=VIRTUAL_SERVICE)
    kubectl("label", "namespace", kubectl.namespace, "istio-injection=enabled")
    listed = kubectl("get", "namespaces", "-l", "istio-injection=enabled", "-o", "name").out
    assert listed == f"namespace/{kubectl.namespace}\n"
