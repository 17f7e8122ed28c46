"""Patches, applies and options of writes, as clients other than kubectl may send them."""

import re
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from pymesh.control.model.resource import Resource
from pymesh.control.store.memory import MemoryStore

RULES = "/apis/networking.istio.io/v1/namespaces/shop/destinationrules"
RULE = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "DestinationRule",
    "metadata": {"name": "payment"},
    "spec": {"host": "payment"},
}
UNKNOWN = {**RULE, "spec": {"host": "payment", "hots": 1}}
APPLY = {"Content-Type": "application/apply-patch+yaml"}
JSON = {"Content-Type": "application/json-patch+json"}
MERGE = {"Content-Type": "application/merge-patch+json"}

Client = TestClient[Any, Any]


async def test_an_apply_creates_what_is_not_there(client: Client) -> None:
    first = await client.patch(f"{RULES}/payment", params={"fieldManager": "a"}, json=RULE, headers=APPLY)
    again = await client.patch(f"{RULES}/payment", params={"fieldManager": "a"}, json=RULE, headers=APPLY)
    assert (first.status, again.status) == (201, 200)
    assert await again.json() == await first.json()


async def test_nobody_owns_what_was_dropped(client: Client) -> None:
    query = {"fieldManager": "a", "fieldValidation": "Warn"}
    applied = await client.patch(f"{RULES}/payment", params=query, json=UNKNOWN, headers=APPLY)
    (entry,) = (await applied.json())["metadata"]["managedFields"]
    assert entry["fieldsV1"] == {"f:spec": {"f:host": {}}}


async def test_a_conflict_names_every_field(client: Client) -> None:
    await client.patch(f"{RULES}/payment", params={"fieldManager": "a"}, json=RULE, headers=APPLY)
    other = {**RULE, "spec": {"host": "other"}}
    refused = await client.patch(f"{RULES}/payment", params={"fieldManager": "b"}, json=other, headers=APPLY)
    status = await refused.json()
    assert (status["code"], status["reason"]) == (409, "Conflict")
    assert status["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "a"', "field": ".spec.host"}
    ]
    query = {"fieldManager": "b", "force": "true"}
    forced = await client.patch(f"{RULES}/payment", params=query, json=other, headers=APPLY)
    assert (await forced.json())["spec"]["host"] == "other"


@pytest.mark.parametrize(
    ("query", "headers", "body", "code"),
    [
        ({}, APPLY, RULE, 422),  # no field manager
        ({"fieldManager": "a"}, APPLY, {**RULE, "metadata": {"name": "x"}}, 400),
        ({"fieldManager": "a"}, APPLY, {**RULE, "metadata": {"name": "payment", "managedFields": [{"a": 1}]}}, 400),
        ({"fieldManager": "a"}, APPLY, {**RULE, "metadata": {"name": "payment", "resourceVersion": "99"}}, 409),
        ({"fieldManager": "a" * 129}, MERGE, {}, 400),
        ({"fieldValidation": "Maybe"}, MERGE, {}, 400),
        ({}, MERGE, [], 400),
        ({}, MERGE, {"metadata": None, "spec": 1}, 422),
        ({}, {"Content-Type": "application/json"}, {}, 415),
        ({}, {"Content-Type": "application/strategic-merge-patch+json"}, {}, 415),
    ],
)
async def test_a_bad_patch_is_refused(
    client: Client, query: dict[str, str], headers: dict[str, str], body: Any, code: int
) -> None:
    await client.post(RULES, json=RULE)
    response = await client.patch(f"{RULES}/payment", params=query, json=body, headers=headers)
    assert (response.status, (await response.json())["code"]) == (code, code)


async def test_a_patch_of_what_is_not_there_is_not_found(client: Client) -> None:
    assert (await client.patch(f"{RULES}/payment", json={}, headers=MERGE)).status == 404


async def test_unknown_fields_are_refused_unless_the_client_says_otherwise(client: Client) -> None:
    refused = await (await client.post(RULES, json=UNKNOWN)).json()
    assert (refused["code"], refused["reason"]) == (400, "BadRequest")
    assert 'strict decoding error: unknown field "spec.hots"' in refused["message"]
    assert [cause["field"] for cause in refused["details"]["causes"]] == ["spec.hots"]
    warned = await client.post(RULES, params={"fieldValidation": "Warn"}, json=UNKNOWN)
    assert warned.headers["Warning"] == '299 - "unknown field \\"spec.hots\\""'
    assert (await warned.json())["spec"] == {"host": "payment"}
    ignored = await client.put(f"{RULES}/payment", params={"fieldValidation": "Ignore"}, json=UNKNOWN)
    assert (ignored.status, "Warning" in ignored.headers) == (200, False)


async def test_the_generation_counts_changes_of_the_spec_only(client: Client) -> None:
    await client.post(RULES, json=RULE)
    labelled = await client.patch(f"{RULES}/payment", json={"metadata": {"labels": {"a": "b"}}}, headers=MERGE)
    assert (await labelled.json())["metadata"]["generation"] == 1
    changed = await client.patch(f"{RULES}/payment", json={"spec": {"host": "other"}}, headers=MERGE)
    assert (await changed.json())["metadata"]["generation"] == 2


async def test_the_manager_of_a_client_that_does_not_say_is_its_name(client: Client) -> None:
    created = await client.post(RULES, json=RULE, headers={"User-Agent": "terraform/1.9 (linux)"})
    (entry,) = (await created.json())["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"], entry["apiVersion"]) == (
        "terraform",
        "Update",
        "networking.istio.io/v1",
    )
    assert entry["fieldsV1"] == {"f:spec": {".": {}, "f:host": {}}}


async def test_ownership_can_be_given_up(client: Client) -> None:
    await client.post(RULES, json=RULE)
    given_up = await client.patch(f"{RULES}/payment", json={"metadata": {"managedFields": [{}]}}, headers=MERGE)
    assert "managedFields" not in (await given_up.json())["metadata"]


async def test_a_dry_run_answers_what_would_be_there(client: Client) -> None:
    dry = await (await client.post(RULES, params={"dryRun": "All"}, json=RULE)).json()
    assert dry["metadata"]["uid"]
    assert "resourceVersion" not in dry["metadata"]
    created = await (await client.post(RULES, json=RULE)).json()
    changed = {"spec": {"host": "other"}}
    query = {"dryRun": "All"}
    patched = await (await client.patch(f"{RULES}/payment", params=query, json=changed, headers=MERGE)).json()
    assert (patched["spec"]["host"], patched["metadata"]["generation"]) == ("other", 2)
    assert patched["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]
    assert await (await client.get(f"{RULES}/payment")).json() == created
    deleted = await client.delete(f"{RULES}/payment", json={"dryRun": ["All"]})
    assert deleted.status == 200
    assert (await client.get(f"{RULES}/payment")).status == 200


async def test_a_collection_is_deleted_by_its_selector(client: Client) -> None:
    for name in ("a", "b"):
        metadata = {"name": name, "labels": {"name": name}}
        await client.post(RULES, json={**RULE, "metadata": metadata})
    deleted = await (await client.delete(RULES, params={"labelSelector": "name=a"})).json()
    assert [item["metadata"]["name"] for item in deleted["items"]] == ["a"]
    left = await (await client.get(RULES)).json()
    assert [item["metadata"]["name"] for item in left["items"]] == ["b"]


async def test_an_unknown_policy_of_propagation_is_refused(client: Client) -> None:
    await client.post(RULES, json=RULE)
    assert (await client.delete(f"{RULES}/payment", json={"propagationPolicy": "Upwards"})).status == 422


async def test_answers_come_as_yaml_and_as_metadata(client: Client) -> None:
    await client.post(RULES, json=RULE)
    as_yaml = await client.get(f"{RULES}/payment", headers={"Accept": "application/yaml"})
    assert (await as_yaml.text()).startswith("apiVersion: networking.istio.io/v1\nkind: DestinationRule\n")
    accept = {"Accept": "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"}
    partial = await (await client.get(f"{RULES}/payment", headers=accept)).json()
    assert (partial["kind"], partial.keys()) == ("PartialObjectMetadata", {"kind", "apiVersion", "metadata"})
    accept = {"Accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}
    assert (await (await client.get(RULES, headers=accept)).json())["items"] == [partial]
    assert (await client.get(RULES, headers={"Accept": "image/png"})).status == 406


async def test_a_foreign_object_is_kept_as_it_is_with_a_warning(client: Client) -> None:
    path = "/apis/apps/v1/namespaces/shop/deployments"
    created = await client.post(path, json={"metadata": {"name": "web"}, "spec": {"replicas": 1}, "status": {"a": 1}})
    echoed = await created.json()
    assert (created.status, echoed["kind"], echoed["spec"]) == (201, "Deployment", {"replicas": 1})
    assert (echoed["metadata"]["name"], echoed["metadata"]["namespace"]) == ("web", "shop")
    assert "Deployment web is skipped" in created.headers["Warning"]
    assert (await (await client.get(path)).json())["items"] == [
        {key: value for key, value in echoed.items() if key != "status"}
    ]
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "a", "image": "b"}]}}}}
    headers = {"Content-Type": "application/strategic-merge-patch+json"}
    for image in ("b", "c"):
        patch["spec"]["template"]["spec"]["containers"][0] = {"name": "a", "image": image}
        patched = await (await client.patch(f"{path}/web", json=patch, headers=headers)).json()
    assert patched["spec"] == {"replicas": 1, **patch["spec"]}
    deleted = await client.delete(f"{path}/web")
    assert (deleted.status, (await deleted.json())["status"]) == (200, "Success")
    assert (await client.get(f"{path}/web")).status == 404
    assert (await client.post(path, json={"metadata": {}})).status == 422


async def test_a_role_may_have_a_name_that_is_no_dns_name(client: Client) -> None:
    path = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
    assert (await client.post(path, json={"metadata": {"name": "system:web"}, "rules": []})).status == 201
    assert (await client.post(path, json={"metadata": {"name": "a/b"}})).status == 422


async def test_owners_are_kept_with_a_warning(client: Client) -> None:
    owners = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "1"}]
    created = await client.post(RULES, json={**RULE, "metadata": {**RULE["metadata"], "ownerReferences": owners}})
    assert (await created.json())["metadata"]["ownerReferences"] == owners
    assert "metadata.ownerReferences: has no effect" in created.headers["Warning"]


async def test_half_of_a_surrogate_pair_is_refused(client: Client) -> None:
    path = "/api/v1/namespaces/shop/configmaps"
    body = r'{"metadata": {"name": "a"}, "data": {"key": "\ud800"}}'
    created = await client.post(path, data=body, headers={"Content-Type": "application/json"})
    assert created.status == 400
    assert r"\ud800 is half of a surrogate pair" in (await created.json())["message"]
    assert (await client.patch(f"{path}/a", data=body, headers=MERGE)).status == 400


async def test_half_of_a_surrogate_pair_is_refused_in_managed_fields(client: Client) -> None:
    entry = {
        "manager": "a",
        "operation": "Update",
        "apiVersion": "networking.istio.io/v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:subsets": {r'k:{"name":"\ud800"}': {}}}},
    }
    refused = await client.post(RULES, json={**RULE, "metadata": {**RULE["metadata"], "managedFields": [entry]}})
    assert refused.status == 422
    assert r"\ud800 is half of a surrogate pair" in (await refused.json())["message"]


async def test_deletion_waits_for_finalizers(client: Client) -> None:
    metadata = {**RULE["metadata"], "finalizers": ["example.com/a"]}
    created = await (await client.post(RULES, json={**RULE, "metadata": metadata})).json()
    for _ in range(2):
        left = await (await client.delete(f"{RULES}/payment")).json()
        assert left["metadata"]["uid"] == created["metadata"]["uid"]
        assert left["metadata"]["deletionGracePeriodSeconds"] == 0
    stamp = left["metadata"]["deletionTimestamp"]
    changed = await client.patch(f"{RULES}/payment", json={"metadata": {"labels": {"a": "b"}}}, headers=MERGE)
    assert (await changed.json())["metadata"]["deletionTimestamp"] == stamp
    gone = await client.patch(f"{RULES}/payment", json={"metadata": {"finalizers": []}}, headers=MERGE)
    assert gone.status == 200
    assert (await client.get(f"{RULES}/payment")).status == 404


async def test_a_patch_that_takes_the_last_finalizer_away_sees_a_write_that_came_between(
    client: Client, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = {**RULE["metadata"], "labels": {"a": "b"}, "finalizers": ["example.com/a"]}
    await client.post(RULES, json={**RULE, "metadata": metadata})
    await client.delete(f"{RULES}/payment")
    delete = store.delete

    async def delete_late(*arguments: str) -> Resource[Any]:
        monkeypatch.undo()
        await client.patch(f"{RULES}/payment", json={"metadata": {"labels": {"a": "c"}}}, headers=MERGE)
        return await delete(*arguments)

    monkeypatch.setattr(store, "delete", delete_late)
    patch = [
        {"op": "test", "path": "/metadata/labels/a", "value": "b"},
        {"op": "remove", "path": "/metadata/finalizers"},
    ]
    refused = await client.patch(f"{RULES}/payment", json=patch, headers=JSON)
    assert refused.status == 422
    assert (await client.get(f"{RULES}/payment")).status == 200


async def test_a_name_is_generated_where_one_is_asked_for(client: Client) -> None:
    unnamed = {**RULE, "metadata": {"generateName": "payment-"}}
    names = {(await (await client.post(RULES, json=unnamed)).json())["metadata"]["name"] for _ in range(3)}
    assert len(names) == 3
    assert all(re.fullmatch("payment-[a-z0-9]{5}", name) for name in names)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/apis/extensions/v1beta1/namespaces/shop/deployments", "Deployment"),
        ("/apis/extensions/v1beta1/namespaces/shop/ingresses", "Ingress"),
        ("/apis/networking.k8s.io/v1beta1/namespaces/shop/ingresses", "Ingress"),
        ("/apis/apps/v1beta1/namespaces/shop/deployments", "Deployment"),
        ("/apis/policy/v1beta1/podsecuritypolicies", "PodSecurityPolicy"),
    ],
)
async def test_older_versions_of_foreign_kinds_are_taken_too(client: Client, path: str, kind: str) -> None:
    created = await client.post(path, json={"metadata": {"name": "web"}})
    assert (created.status, (await created.json())["kind"]) == (201, kind)
    assert f"{kind} web is skipped" in created.headers["Warning"]


async def test_a_namespace_is_there_when_something_is_in_it(client: Client) -> None:
    assert (await client.get("/api/v1/namespaces/shop")).status == 404
    created = await (await client.post(RULES, json=RULE)).json()
    found = await (await client.get("/api/v1/namespaces/shop")).json()
    assert found["metadata"]["creationTimestamp"] == created["metadata"]["creationTimestamp"]
    listed = await (await client.get("/api/v1/namespaces")).json()
    assert [item["metadata"]["name"] for item in listed["items"]] == ["default", "shop"]
    labels = {"metadata": {"labels": {"a": "b"}}}
    patched = await client.patch("/api/v1/namespaces/shop", json=labels, headers=MERGE)
    assert (await patched.json())["metadata"]["labels"]["a"] == "b"
    assert (await client.delete("/api/v1/namespaces/shop")).status == 200
    assert (await client.get(f"{RULES}/payment")).status == 404
    assert (await client.delete("/api/v1/namespaces/default")).status == 403


@pytest.mark.parametrize("is_created", [True, False])
async def test_a_namespace_waits_for_the_finalizers_of_what_is_in_it(client: Client, is_created: bool) -> None:
    if is_created:
        await client.post("/api/v1/namespaces", json={"metadata": {"name": "shop"}})
    metadata = {**RULE["metadata"], "finalizers": ["example.com/a"]}
    await client.post(RULES, json={**RULE, "metadata": metadata})
    for _ in range(2):
        left = await (await client.delete("/api/v1/namespaces/shop")).json()
        assert left["status"] == {"phase": "Terminating"}
        assert left["metadata"]["deletionTimestamp"]
    labels = {"metadata": {"labels": {"a": "b"}}}
    assert (await client.patch("/api/v1/namespaces/shop", json=labels, headers=MERGE)).status == 200
    assert (await (await client.get("/api/v1/namespaces/shop")).json())["metadata"]["labels"]["a"] == "b"
    await client.patch(f"{RULES}/payment", json={"metadata": {"finalizers": []}}, headers=MERGE)
    assert (await client.get(f"{RULES}/payment")).status == 404
    assert (await client.get("/api/v1/namespaces/shop")).status == 404
    assert (await client.post(RULES, json=RULE)).status == 201


async def test_nothing_is_created_in_a_namespace_that_is_being_deleted(client: Client) -> None:
    await client.post(RULES, json={**RULE, "metadata": {**RULE["metadata"], "finalizers": ["example.com/a"]}})
    await client.delete("/api/v1/namespaces/shop")
    late = {**RULE, "metadata": {"name": "late"}}
    posted = await client.post(RULES, json=late)
    applied = await client.patch(f"{RULES}/late", json=late, headers=APPLY, params={"fieldManager": "a"})
    for refused in (posted, applied):
        assert refused.status == 403
        status = await refused.json()
        assert status["message"] == (
            'destinationrules.networking.istio.io "late" is forbidden: unable to create new content in namespace shop '
            "because it is being terminated"
        )
        assert status["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    assert (await client.post("/api/v1/namespaces", json={"metadata": {"name": "shop"}})).status == 409


async def test_a_dry_run_marks_no_namespace(client: Client) -> None:
    await client.post(RULES, json={**RULE, "metadata": {**RULE["metadata"], "finalizers": ["example.com/a"]}})
    assert (await client.delete("/api/v1/namespaces/shop?dryRun=All")).status == 200
    assert (await client.post(RULES, json={**RULE, "metadata": {"name": "late"}})).status == 201


async def test_a_namespace_is_active_at_once(client: Client) -> None:
    created = await client.post("/api/v1/namespaces", json={"metadata": {"name": "made"}})
    assert (await created.json())["status"] == {"phase": "Active"}


async def test_the_status_of_what_is_not_there_is_not_found(client: Client) -> None:
    query = {"fieldManager": "a"}
    for headers, body in ((APPLY, {**RULE, "status": {"a": 1}}), (MERGE, {"status": {"a": 1}})):
        response = await client.patch(f"{RULES}/payment/status", params=query, json=body, headers=headers)
        assert response.status == 404
    await client.post(RULES, json=RULE)
    applied = await client.patch(
        f"{RULES}/payment/status", params=query, json={**RULE, "status": {"a": 1}}, headers=APPLY
    )
    item = await applied.json()
    assert (applied.status, item["status"], item["spec"]) == (200, {"a": 1}, RULE["spec"])
    assert [entry.get("subresource") for entry in item["metadata"]["managedFields"]] == [None, "status"]


async def test_a_list_of_the_future_or_of_the_past_is_refused(client: Client) -> None:
    for name in ("a", "b"):
        await client.post(RULES, json={**RULE, "metadata": {"name": name}})
    assert (await client.get(RULES, params={"resourceVersion": "9"})).status == 504
    exact = {"resourceVersion": "1", "resourceVersionMatch": "Exact"}
    assert (await client.get(RULES, params=exact)).status == 410
    assert (await client.get(RULES, params={"resourceVersion": "1"})).status == 200
