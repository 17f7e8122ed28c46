"""kubectl apply, client-side, and diff."""

from kubectl.client import Kubectl
from kubectl.objects import DEPLOYMENT, NAME, OLD_DEPLOYMENT, SAMPLE, SERVICE, VIRTUAL_SERVICE


def test_a_sample_applies_whole_and_again(each_kubectl: Kubectl) -> None:
    first = each_kubectl("apply", "-f", "-", input=SAMPLE)
    assert first.out == f"service/reviews created\ndeployment.apps/reviews-v1 created\n{NAME} created\n"
    assert "Warning: Deployment reviews-v1 is skipped" in first.err
    second = each_kubectl("apply", "-f", "-", input=SAMPLE)
    assert second.out == f"service/reviews unchanged\ndeployment.apps/reviews-v1 unchanged\n{NAME} unchanged\n"
    changed = each_kubectl("apply", "-f", "-", input=SAMPLE.replace("timeout: 3s", "name: first"))
    assert f"{NAME} configured" in changed.out
    assert each_kubectl("get", NAME, "-o", "jsonpath={.spec.http[0].name},{.spec.http[0].timeout}").out == "first,"
    deleted = each_kubectl("delete", "-f", "-", input=SAMPLE).out
    assert deleted.count(" deleted") == 3


def test_a_deployment_of_an_old_version_is_skipped_as_a_new_one_is(kubectl: Kubectl) -> None:
    applied = kubectl("apply", "-f", "-", input=OLD_DEPLOYMENT)
    assert applied.out == "deployment.extensions/reviews-v1 created\n"
    assert "Warning: Deployment reviews-v1 is skipped" in applied.err
    assert kubectl("get", "deploy,deployments", "-o", "name").err == ""
    deleted = kubectl("delete", "-f", "-", input=OLD_DEPLOYMENT).out
    assert deleted.startswith('deployment.extensions "reviews-v1" deleted')


def test_apply_keeps_what_others_wrote(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", input=VIRTUAL_SERVICE)
    kubectl("label", NAME, "team=a")
    kubectl("apply", "-f", "-", input=VIRTUAL_SERVICE.replace("app: reviews", "tier: web"))
    assert kubectl("get", NAME, "-o", "jsonpath={.metadata.labels}").out == '{"team":"a","tier":"web"}'


def test_apply_merges_the_ports_of_a_service(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", input=SERVICE)
    kubectl("apply", "-f", "-", input=SERVICE.replace("name: https", "name: tls").replace("port: 9080", "port: 80"))
    ports = kubectl("get", "service", "reviews", "-o", "jsonpath={.spec.ports}").out
    http, tls = '"protocol":"TCP","targetPort":80', '"protocol":"TCP","targetPort":9443'
    assert ports == f'[{{"name":"http","port":80,{http}}},{{"name":"tls","port":9443,{tls}}}]'


def test_an_unknown_field_is_refused_or_dropped_as_asked(kubectl: Kubectl) -> None:
    wrong = VIRTUAL_SERVICE.replace("timeout:", "timeuot:")
    refused = kubectl("apply", "-f", "-", input=wrong, code=1).err
    assert 'strict decoding error: unknown field "spec.http[0].timeuot"' in refused
    warned = kubectl("apply", "--validate=warn", "-f", "-", input=wrong)
    assert warned.err == 'Warning: unknown field "spec.http[0].timeuot"\n'
    assert kubectl("get", NAME, "-o", "jsonpath={.spec.http[0]}").out.startswith('{"route":')
    assert (
        kubectl("apply", "--validate=ignore", "-f", "-", input=wrong.replace("75", "70").replace("25", "30")).err == ""
    )


def test_all_violations_come_in_one_answer(kubectl: Kubectl) -> None:
    wrong = VIRTUAL_SERVICE.replace("3s", "soon").replace("hosts: [reviews]", "hosts: [reviews, '*.*']")
    refused = kubectl("apply", "-f", "-", input=wrong, code=1).err
    assert 'The VirtualService "reviews" is invalid' in refused
    assert "* spec.hosts[1]: " in refused
    assert "* spec.http[0].timeout: " in refused


def test_a_dry_run_stores_nothing(kubectl: Kubectl) -> None:
    dry = kubectl("apply", "--dry-run=server", "-f", "-", input=VIRTUAL_SERVICE)
    assert dry.out == f"{NAME} created (server dry run)\n"
    kubectl("get", NAME, code=1)


def test_diff_shows_what_apply_would_change(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", input=VIRTUAL_SERVICE)
    assert kubectl("diff", "-f", "-", input=VIRTUAL_SERVICE).out == ""
    changed = kubectl("diff", "-f", "-", input=VIRTUAL_SERVICE.replace("3s", "4s"), code=1).out
    assert "\n-  - route:" not in changed
    assert "-    timeout: 3s\n+    timeout: 4s\n" in changed
    server_side = kubectl("diff", "--server-side", "--force-conflicts", "-f", "-", input=SERVICE, code=1).out
    assert "+  name: reviews" in server_side


def test_every_version_is_the_same_object(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", input=VIRTUAL_SERVICE.replace("istio.io/v1", "istio.io/v1alpha3"))
    unchanged = kubectl("apply", "-f", "-", input=VIRTUAL_SERVICE.replace("istio.io/v1", "istio.io/v1beta1"))
    assert unchanged.out in (f"{NAME} unchanged\n", f"{NAME} configured\n")  # the recorded last version differs
    for version in ("v1", "v1beta1", "v1alpha3"):
        shown = kubectl("get", f"virtualservices.{version}.networking.istio.io", "reviews", "-o", "yaml").out
        assert shown.startswith(f"apiVersion: networking.istio.io/{version}\n")


def test_what_has_no_meaning_here_is_said_to_be_skipped_and_found_again(kubectl: Kubectl) -> None:
    arguments = ("apply", "-f", "-")
    for first in (("create", "-f", "-"), ("apply", "--server-side", "-f", "-"), arguments):
        assert "skipped" in kubectl(*first, input=DEPLOYMENT).err
        assert kubectl("get", "deployments", "-o", "name").out == "deployment.apps/reviews-v1\n"
        kubectl("delete", "-f", "-", input=DEPLOYMENT)
        assert "NotFound" in kubectl("get", "deployment", "reviews-v1", code=1).err
    kubectl(*arguments, input=DEPLOYMENT)
    changed = kubectl(*arguments, input=DEPLOYMENT.replace("image: reviews", "image: reviews:2"))
    assert changed.out == "deployment.apps/reviews-v1 configured\n"
    containers = kubectl("get", "deploy", "reviews-v1", "-o", "jsonpath={.spec.template.spec.containers}").out
    assert containers == '[{"image":"reviews:2","name":"reviews"}]'


def test_a_service_has_the_defaults_of_kubernetes(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", input=SERVICE)
    spec = kubectl("get", "service", "reviews", "-o", "jsonpath={.spec.type} {.spec.sessionAffinity}").out
    assert spec == "ClusterIP None"
    assert kubectl("apply", "-f", "-", input=SERVICE).out == "service/reviews unchanged\n"
    assert kubectl("diff", "-f", "-", input=SERVICE).out == ""
    server_side = ("apply", "--server-side", "--force-conflicts", "-f", "-")
    assert kubectl(*server_side, input=SERVICE).out == "service/reviews serverside-applied\n"
    assert kubectl("diff", "-f", "-", input=SERVICE).out == ""


def test_an_object_may_leave_its_name_to_the_server(kubectl: Kubectl) -> None:
    unnamed = SERVICE.replace("name: reviews}", "generateName: reviews-}")
    created = [kubectl("create", "-f", "-", "-o", "name", input=unnamed).out for _ in range(2)]
    assert all(name.startswith("service/reviews-") and len(name) == len("service/reviews-12345\n") for name in created)
    assert created[0] != created[1]
