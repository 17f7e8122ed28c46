"""apply, get and delete against a real API."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pymesh.cli.client import MERGE_PATCH, ControlClient

SHOP = """\
apiVersion: v1
kind: Service
metadata: {name: payment, labels: {app: payment}}
spec:
  ports: [{name: http, port: 80, targetPort: 8080}]
  selector: {app: payment}
---
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: payment}
spec:
  hosts: [payment]
  http:
  - route:
    - {destination: {host: payment, subset: v1}, weight: 100}
    - {destination: {host: payment, subset: v2}, weight: 0}
"""

BROKEN = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: broken}
spec:
  hosts: [payment]
  http:
  - route: [{destination: {host: payment}}]
    timeout: soon
    retrys: {}
---
apiVersion: networking.istio.io/v1
kind: SideCar
metadata: {name: broken}
"""

Pymesh = Callable[..., Any]


@pytest.fixture
def shop(tmp_path: Path) -> str:
    path = tmp_path / "shop.yaml"
    path.write_text(SHOP)
    return str(path)


def test_apply_says_created_then_unchanged_then_configured(pymesh: Pymesh, shop: str) -> None:
    names = ("service/payment", "virtualservice.networking.istio.io/payment")
    assert pymesh("apply", "-f", shop).out == "".join(f"{name} created\n" for name in names)
    assert pymesh("apply", "-f", shop).out == "".join(f"{name} unchanged\n" for name in names)
    Path(shop).write_text(SHOP.replace("weight: 100", "weight: 80"))
    assert pymesh("apply", "-f", shop) == (0, f"{names[0]} unchanged\n{names[1]} configured\n", "")


def test_apply_keeps_what_others_have_written_and_removes_its_own(pymesh: Pymesh, shop: str, control_url: str) -> None:
    pymesh("apply", "-f", shop)
    path = "/apis/networking.istio.io/v1/namespaces/default/virtualservices/payment"
    with ControlClient(control_url) as client:
        client.request("PATCH", path, body={"metadata": {"labels": {"team": "a"}}}, sent=MERGE_PATCH)
    Path(shop).write_text(
        SHOP.replace("labels: {app", "labels: {tier: web, app").replace("hosts:", "exportTo: ['*']\n  hosts:")
    )
    pymesh("apply", "-f", shop)
    Path(shop).write_text(SHOP)
    assert "virtualservice.networking.istio.io/payment configured" in pymesh("apply", "-f", shop).out
    with ControlClient(control_url) as client:
        rule, service = client.get(path), client.get("/api/v1/namespaces/default/services/payment")
    assert (rule["metadata"]["labels"], "exportTo" in rule["spec"]) == ({"team": "a"}, False)
    assert service["metadata"]["labels"] == {"app": "payment"}


def test_one_bad_object_keeps_all_files_from_being_stored(pymesh: Pymesh, shop: str, tmp_path: Path) -> None:
    (tmp_path / "x-broken.yaml").write_text(BROKEN)
    result = pymesh("apply", "-f", str(tmp_path))
    place = f"{tmp_path}/x-broken.yaml: document"
    assert result.err.splitlines() == [
        f"{place} 2 (line 11): pymesh does not know networking.istio.io/v1 SideCar",
        f"{place} 1 (line 9): VirtualService default/broken: spec.http[0].retrys: unknown field; did you mean retries?",
        f"{place} 1 (line 8): VirtualService default/broken: spec.http[0].timeout: "
        "must be a duration such as 1h, 30s or 250ms, not 'soon'",
        "pymesh apply: 3 violations; nothing was stored",
    ]
    assert (result.code, result.out) == (1, "")
    assert pymesh("get", "vs").err == "No resources found in default namespace.\n"


def test_apply_reads_standard_input_and_the_namespace_flag(pymesh: Pymesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(SHOP.encode())))
    assert pymesh("apply", "-n", "shop", "-f", "-").code == 0
    listed = json.loads(pymesh("get", "service", "-A", "-o", "json").out)
    assert [item["metadata"]["namespace"] for item in listed["items"]] == ["shop"]


def test_apply_refuses_an_object_of_another_namespace_than_the_flags(pymesh: Pymesh, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SHOP.replace("{name: payment}", "{name: payment, namespace: other}"))
    result = pymesh("apply", "-n", "shop", "-f", str(tmp_path / "a.yaml"))
    assert "VirtualService payment: is in namespace other, -n says shop" in result.err
    assert result.code == 1


def test_apply_takes_lists_apart(pymesh: Pymesh, tmp_path: Path) -> None:
    items = list(yaml.safe_load_all(SHOP))
    (tmp_path / "list.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    assert pymesh("apply", "-f", str(tmp_path / "list.json")).out.count("created") == 2


def test_a_dry_run_stores_nothing(pymesh: Pymesh, shop: str) -> None:
    assert "service/payment created (dry run)" in pymesh("apply", "--dry-run", "-f", shop).out
    assert pymesh("get", "services").out == ""
    pymesh("apply", "-f", shop)
    assert "service/payment unchanged (dry run)" in pymesh("apply", "--dry-run", "-f", shop).out


def test_what_is_not_implemented_is_named_once(pymesh: Pymesh, tmp_path: Path) -> None:
    spec = {"address": "10.0.0.1", "network": "other"}
    path = tmp_path / "a.yaml"
    kind = {"apiVersion": "networking.istio.io/v1", "kind": "WorkloadEntry"}
    path.write_text(json.dumps({**kind, "metadata": {"name": "a"}, "spec": spec}))
    line = pymesh("apply", "-f", str(path)).err.splitlines()[0]
    assert line.endswith("WorkloadEntry default/a: pymesh does not implement spec.network")


def test_a_file_without_objects_is_an_error(pymesh: Pymesh, tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("---\n")
    result = pymesh("apply", "-f", str(tmp_path / "empty.yaml"))
    assert (result.code, result.err) == (1, "pymesh apply: no objects in the given files\n")


def test_text_that_is_no_yaml_is_a_violation_with_its_line(pymesh: Pymesh, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: b\n  c: d\n")
    result = pymesh("apply", "-f", str(tmp_path / "a.yaml"))
    assert f"{tmp_path}/a.yaml: line 2: mapping values are not allowed" in result.err
    assert result.code == 1


def test_what_was_fetched_can_be_applied_again(pymesh: Pymesh, shop: str, tmp_path: Path) -> None:
    pymesh("apply", "-f", shop)
    fetched = pymesh("get", "vs", "payment", "-o", "yaml").out
    assert "weight: 0" in fetched
    (tmp_path / "again.yaml").write_text(fetched)
    assert pymesh("apply", "-f", str(tmp_path / "again.yaml")).out.endswith("payment unchanged\n")


def test_a_stale_file_does_not_overwrite(pymesh: Pymesh, shop: str, tmp_path: Path) -> None:
    pymesh("apply", "-f", shop)
    (tmp_path / "stale.yaml").write_text(pymesh("get", "vs", "payment", "-o", "yaml").out)
    Path(shop).write_text(SHOP.replace("weight: 100", "weight: 80"))
    pymesh("apply", "-f", shop)
    result = pymesh("apply", "-f", str(tmp_path / "stale.yaml"))
    assert "the object has been modified" in result.err
    assert result.code == 1


def test_get_prints_istios_columns(pymesh: Pymesh, shop: str) -> None:
    pymesh("apply", "-f", shop)
    header, row = pymesh("get", "vs").out.splitlines()
    assert header.split() == ["NAME", "GATEWAYS", "HOSTS", "AGE", "STATUS"]
    assert row.split()[:2] == ["payment", '["payment"]']
    header, row = pymesh("get", "svc", "-o", "wide", "-A").out.splitlines()
    assert header.split() == ["NAMESPACE", "NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE", "SELECTOR"]
    assert row.split()[:6] == ["default", "payment", "ClusterIP", "<none>", "<none>", "80/TCP"]


def test_get_names_the_kind_where_several_are_asked_for(pymesh: Pymesh, shop: str) -> None:
    pymesh("apply", "-f", shop)
    out = pymesh("get", "vs,dr,svc").out
    assert "virtualservice.networking.istio.io/payment" in out
    assert "service/payment" in out
    assert pymesh("get", "vs,svc", "-o", "name").out.split() == [
        "virtualservice.networking.istio.io/payment",
        "service/payment",
    ]


def test_get_selects_by_label(pymesh: Pymesh, shop: str) -> None:
    pymesh("apply", "-f", shop)
    assert pymesh("get", "svc", "-l", "app=payment", "-o", "name").out == "service/payment\n"
    assert pymesh("get", "svc", "-l", "app!=payment", "-o", "name").out == ""


def test_get_shows_the_objects_of_a_file(pymesh: Pymesh, shop: str) -> None:
    pymesh("apply", "-f", shop)
    pymesh("apply", "-f", shop, "-n", "other")
    assert pymesh("get", "-f", shop, "-o", "name").out.split() == [
        "service/payment",
        "virtualservice.networking.istio.io/payment",
    ]
    listed = json.loads(pymesh("get", "-f", shop, "-n", "other", "-o", "json").out)
    assert [item["metadata"]["namespace"] for item in listed["items"]] == ["other", "other"]


def test_get_of_what_is_not_there_is_an_error(pymesh: Pymesh) -> None:
    assert pymesh("get", "vs", "nobody") == (
        1,
        "",
        'pymesh get: virtualservices.networking.istio.io "nobody" not found\n',
    )


def test_delete_by_name_and_by_file(pymesh: Pymesh, shop: str) -> None:
    pymesh("apply", "-f", shop)
    assert pymesh("delete", "vs", "payment").out == 'virtualservice.networking.istio.io "payment" deleted\n'
    result = pymesh("delete", "-f", shop)
    assert result.out == 'service "payment" deleted\n'
    assert result.err == 'pymesh delete: virtualservices.networking.istio.io "payment" not found\n'
    assert result.code == 1
    assert pymesh("delete", "--ignore-not-found", "-f", shop).code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["apply", "-f", "/nowhere/a.yaml"], "pymesh apply: /nowhere/a.yaml: No such file or directory"),
        (["get", "pods"], "pymesh get: unknown kind 'pods'"),
        (["get", "vs", "a", "-A"], "pymesh get: a name or a file cannot stand beside -A, -l or --field-selector"),
        (["get"], "pymesh get: give either -f FILE or KIND [NAME ...]"),
        (["delete"], "pymesh delete: give either -f FILE or KIND [NAME ...]"),
        (["delete", "vs"], "pymesh delete: give the names of the vs to delete"),
        (["get", "vs", "--control", "http://:x"], "pymesh get: --control http://:x"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_2(pymesh: Pymesh, arguments: list[str], message: str) -> None:
    result = pymesh(*arguments)
    assert result.err.startswith(message)
    assert (result.code, result.err.count("\n"), result.out) == (2, 1, "")


def test_no_control_plane_is_one_line(pymesh: Pymesh, shop: str) -> None:
    result = pymesh("apply", "-f", shop, "--control", "http://127.0.0.1:1")
    reason = "Connection refused (does `pymesh control` run?)"
    assert result.err == f"pymesh apply: no answer from the control plane at http://127.0.0.1:1: {reason}\n"
    assert result.code == 1


def test_what_means_nothing_here_is_skipped_with_its_place(pymesh: Pymesh, tmp_path: Path) -> None:
    deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: payment-v1}\n---\n"
    (tmp_path / "a.yaml").write_text(deployment + SHOP)
    result = pymesh("apply", "-f", str(tmp_path / "a.yaml"))
    assert result.err.startswith(f"Warning: {tmp_path}/a.yaml: document 1 (line 1): Deployment payment-v1 is skipped")
    assert (result.code, result.out.count("created")) == (0, 2)


def test_warnings_of_the_server_are_printed(pymesh: Pymesh, tmp_path: Path) -> None:
    kind = {"apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter", "metadata": {"name": "lua"}}
    (tmp_path / "a.json").write_text(json.dumps({**kind, "spec": {"configPatches": []}}))
    result = pymesh("apply", "-f", str(tmp_path / "a.json"))
    assert result.err.startswith(f"Warning: {tmp_path}/a.json: document 1 (line 1): EnvoyFilter default/lua: ")
    assert result.out == "envoyfilter.networking.istio.io/lua created\n"


def test_a_namespace_is_in_none(pymesh: Pymesh, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n")
    assert pymesh("apply", "-n", "other", "-f", str(tmp_path / "a.yaml")).out == "namespace/shop created\n"
    assert "shop   Active" in " ".join(pymesh("get", "ns").out.splitlines()).replace("      ", "   ")
    assert pymesh("delete", "-f", str(tmp_path / "a.yaml")).out == 'namespace "shop" deleted\n'


def test_get_selects_by_field_and_by_kind_and_name(pymesh: Pymesh, shop: str) -> None:
    pymesh("apply", "-f", shop)
    assert pymesh("get", "vs/payment", "svc/payment", "-o", "name").out == (
        "virtualservice.networking.istio.io/payment\nservice/payment\n"
    )
    assert pymesh("get", "istio-io", "-A", "-o", "name").out == "virtualservice.networking.istio.io/payment\n"
    assert pymesh("get", "vs", "--field-selector", "metadata.name!=payment").out == ""
    assert pymesh("get", "svc", "--show-labels").out.splitlines()[1].endswith("app=payment")
    assert "managedFields" not in pymesh("get", "vs", "-o", "yaml").out
    assert "manager: pymesh" in pymesh("get", "vs", "-o", "yaml", "--show-managed-fields").out


def test_describe_shows_every_field(pymesh: Pymesh, shop: str) -> None:
    pymesh("apply", "-f", shop)
    described = pymesh("describe", "svc", "-l", "app=payment").out
    assert "Labels:       app=payment\n" in described
    assert "Target Port:  8080\n" in described
    assert pymesh("describe", "vs", "nobody").code == 1


def test_delete_by_label_and_all(pymesh: Pymesh, shop: str) -> None:
    pymesh("apply", "-f", shop)
    assert pymesh("delete", "vs,svc", "-l", "app=payment", "--dry-run").out == 'service "payment" deleted (dry run)\n'
    assert pymesh("delete", "vs,svc", "-l", "app=payment").out == 'service "payment" deleted\n'
    assert pymesh("delete", "vs", "--all").out == 'virtualservice.networking.istio.io "payment" deleted\n'
    assert pymesh("delete", "vs", "--all") == (0, "", "No resources found.\n")
