"""The API as a Kubernetes client sees it."""

import json
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from pymesh.control.api.body import MAX_BODY

RULES = "/apis/networking.istio.io/v1/namespaces/shop/destinationrules"
YAML = {"Content-Type": "application/yaml"}

Client = TestClient[Any, Any]


def rule(name: str = "payment", simple: str = "RANDOM", **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": name, **metadata},
        "spec": {"host": name, "trafficPolicy": {"loadBalancer": {"simple": simple}}},
    }


async def create(client: Client, *names: str, **metadata: Any) -> list[dict[str, Any]]:
    return [await (await client.post(RULES, json=rule(name, **metadata))).json() for name in names]


async def test_create_returns_the_stored_object(client: Client) -> None:
    response = await client.post(RULES, json=rule())
    created = await response.json()
    assert response.status == 201
    metadata = created["metadata"]
    assert (metadata["namespace"], metadata["resourceVersion"], metadata["generation"]) == ("shop", "1", 1)
    assert created["spec"] == rule()["spec"]
    assert await (await client.get(f"{RULES}/payment")).json() == created


async def test_a_body_may_be_yaml(client: Client) -> None:
    text = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: a}\nspec: {host: a}\n"
    assert (await client.post(RULES, data=text, headers=YAML)).status == 201
    two = await client.post(RULES, data=f"{text}---\n{text}", headers=YAML)
    assert (await two.json())["message"] == "the body must be one object, not 2"


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha3"])
async def test_every_version_serves_the_same_object(client: Client, version: str) -> None:
    await create(client, "payment")
    path = RULES.replace("/v1/", f"/{version}/")
    found = await (await client.get(f"{path}/payment")).json()
    assert found["apiVersion"] == f"networking.istio.io/{version}"
    listed = await (await client.get(path)).json()
    assert listed["items"] == [found]


async def test_core_kinds_live_below_api_v1(client: Client) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}}
    assert (await client.post("/api/v1/namespaces/shop/services", json=service)).status == 201
    assert len((await (await client.get("/api/v1/services")).json())["items"]) == 1
    assert (await (await client.get("/api/v1/namespaces/shop/secrets")).json())["kind"] == "SecretList"


async def test_a_list_has_the_revision_to_watch_from(client: Client) -> None:
    await create(client, "b", "a")
    listed = await (await client.get("/apis/networking.istio.io/v1/destinationrules")).json()
    assert (listed["kind"], listed["metadata"]) == ("DestinationRuleList", {"resourceVersion": "2"})
    assert [item["metadata"]["name"] for item in listed["items"]] == ["a", "b"]
    other = await client.get("/apis/networking.istio.io/v1/namespaces/other/destinationrules")
    assert (await other.json())["items"] == []


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"labelSelector": "app=web"}, ["a"]),
        ({"labelSelector": "app"}, ["a", "b"]),
        ({"labelSelector": "!app"}, ["c"]),
        ({"labelSelector": "app in (web, db),tier!=x"}, ["a", "b"]),
        ({"labelSelector": "app notin (web)"}, ["b", "c"]),
        ({"fieldSelector": "metadata.name=b"}, ["b"]),
        ({"fieldSelector": "metadata.name!=b,metadata.namespace=shop"}, ["a", "c"]),
    ],
)
async def test_a_list_is_selected(client: Client, query: dict[str, str], names: list[str]) -> None:
    await create(client, "a", labels={"app": "web"})
    await create(client, "b", labels={"app": "db"})
    await create(client, "c")
    listed = await (await client.get(RULES, params=query)).json()
    assert [item["metadata"]["name"] for item in listed["items"]] == names


async def test_replace_takes_the_version_into_account(client: Client) -> None:
    (created,) = await create(client, "payment")
    changed = {**created, "spec": {"host": "other"}}
    assert (await client.put(f"{RULES}/payment", json=changed)).status == 200
    stale = await client.put(f"{RULES}/payment", json=changed)
    status = await stale.json()
    assert (stale.status, status["reason"], status["code"]) == (409, "Conflict", 409)
    unconditional = await client.put(f"{RULES}/payment", json=rule(simple="ROUND_ROBIN"))
    assert (await unconditional.json())["metadata"]["resourceVersion"] == "3"


async def test_the_status_is_written_by_its_own_path_only(client: Client) -> None:
    entries = "/apis/networking.istio.io/v1/namespaces/shop/workloadentries"
    entry = {"apiVersion": "networking.istio.io/v1", "kind": "WorkloadEntry", "metadata": {"name": "a"}}
    entry |= {"spec": {"address": "10.0.0.1"}, "status": {"conditions": []}}
    created = await (await client.post(entries, json={**entry, "status": {"conditions": [{"type": "No"}]}})).json()
    assert "status" not in created
    status = {"conditions": [{"type": "Healthy", "status": "False"}]}
    written = await client.put(f"{entries}/a/status", json={**entry, "spec": {"address": "x"}, "status": status})
    assert ((await written.json())["status"], (await written.json())["spec"]) == (status, entry["spec"])
    replaced = await (await client.put(f"{entries}/a", json={**entry, "spec": {"address": "10.0.0.2"}})).json()
    assert (replaced["status"], replaced["metadata"]["generation"]) == (status, 2)


async def test_delete_says_what_is_gone(client: Client) -> None:
    (created,) = await create(client, "payment")
    response = await client.delete(f"{RULES}/payment")
    status = await response.json()
    assert (response.status, status["status"]) == (200, "Success")
    assert status["details"]["uid"] == created["metadata"]["uid"]
    assert (await client.get(f"{RULES}/payment")).status == 404


async def test_delete_keeps_to_its_preconditions(client: Client) -> None:
    await create(client, "payment")
    for preconditions in ({"uid": "other"}, {"resourceVersion": "9"}):
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": preconditions}
        assert (await client.delete(f"{RULES}/payment", json=options)).status == 409
    assert (await client.get(f"{RULES}/payment")).status == 200


async def test_a_dry_run_checks_and_stores_nothing(client: Client) -> None:
    dry = {"dryRun": "All"}
    assert (await client.post(RULES, params=dry, json=rule())).status == 201
    assert (await client.get(f"{RULES}/payment")).status == 404
    await create(client, "payment")
    assert (await client.post(RULES, params=dry, json=rule())).status == 409
    assert (await client.put(f"{RULES}/payment", params=dry, json=rule(simple="ROUND_ROBIN"))).status == 200
    assert (await client.delete(f"{RULES}/payment", params=dry)).status == 200
    found = await (await client.get(f"{RULES}/payment")).json()
    assert found["spec"]["trafficPolicy"]["loadBalancer"]["simple"] == "RANDOM"
    assert (await client.post(RULES, params={"dryRun": "Some"}, json=rule())).status == 400


async def test_violations_are_causes(client: Client) -> None:
    response = await client.post(RULES, json=rule(simple="MAYBE", labels={"a": 1}))
    status = await response.json()
    assert (response.status, status["reason"], status["kind"]) == (422, "Invalid", "Status")
    assert status["message"].startswith('DestinationRule "payment" is invalid: ')
    assert status["details"]["causes"] == [
        {
            "reason": "FieldValueInvalid",
            "message": "must be a string, not a number",
            "field": "metadata.labels.a",
        },
        {
            "reason": "FieldValueInvalid",
            "message": "must be one of UNSPECIFIED, LEAST_CONN, RANDOM, PASSTHROUGH, ROUND_ROBIN, LEAST_REQUEST, "
            "not 'MAYBE'",
            "field": "spec.trafficPolicy.loadBalancer.simple",
        },
    ]


@pytest.mark.parametrize(
    ("method", "path", "body", "code", "reason"),
    [
        ("GET", f"{RULES}/nobody", None, 404, "NotFound"),
        ("PUT", f"{RULES}/payment", rule(), 404, "NotFound"),
        ("DELETE", f"{RULES}/nobody", None, 404, "NotFound"),
        ("GET", "/apis/networking.istio.io/v9/destinationrules", None, 404, "NotFound"),
        ("GET", "/apis/apps/v9/deployments", None, 404, "NotFound"),
        ("GET", "/apis/apps/v1/namespaces/shop/deployments/a", None, 404, "NotFound"),
        ("GET", "/apis/networking.istio.io/v1/destinationrules/payment", None, 404, "NotFound"),
        ("GET", f"{RULES}/payment/scale", None, 404, "NotFound"),
        ("GET", "/api/v1/namespaces/shop/namespaces", None, 404, "NotFound"),
        ("PATCH", RULES, {}, 405, "MethodNotAllowed"),
        ("DELETE", "/apis/networking.istio.io/v1/destinationrules", None, 405, "MethodNotAllowed"),
        ("POST", RULES, rule(namespace="other"), 400, "BadRequest"),
        ("POST", RULES.replace("destinationrules", "gateways"), rule(), 400, "BadRequest"),
        ("PUT", f"{RULES}/other", rule(), 400, "BadRequest"),
        ("GET", f"{RULES}?labelSelector=a%20b", None, 400, "BadRequest"),
        ("GET", f"{RULES}?fieldSelector=spec.host=a", None, 400, "BadRequest"),
        ("GET", f"{RULES}?watch=true&resourceVersion=x", None, 400, "BadRequest"),
        ("POST", RULES, [], 400, "BadRequest"),
    ],
)
async def test_every_error_is_a_status(
    client: Client, method: str, path: str, body: Any, code: int, reason: str
) -> None:
    response = await client.request(method, path, json=body) if body is not None else await client.request(method, path)
    status = await response.json()
    assert (response.status, status["code"], status["reason"]) == (code, code, reason)
    assert status["message"]


async def test_an_existing_name_is_not_created_again(client: Client) -> None:
    await create(client, "payment")
    response = await client.post(RULES, json=rule())
    assert (response.status, (await response.json())["reason"]) == (409, "AlreadyExists")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_what_a_browser_sends_unasked_is_refused(client: Client, content_type: str) -> None:
    response = await client.post(RULES, data=b"{}", headers={"Content-Type": content_type})
    assert (response.status, (await response.json())["reason"]) == (415, "UnsupportedMediaType")


async def test_a_program_that_says_no_content_type_sends_json(client: Client) -> None:
    """Kubernetes' client for Python does not say it."""
    body = json.dumps(rule()).encode()
    asked = {"data": body, "skip_auto_headers": ["Content-Type"]}
    for header in ("Origin", "Referer", "Sec-Fetch-Site"):
        assert (await client.post(RULES, headers={header: "x"}, **asked)).status == 415
    assert (await client.post(RULES, **asked)).status == 201


async def test_bodies_are_bounded(client: Client) -> None:
    response = await client.post(RULES, data=b" " * (MAX_BODY + 1), headers=YAML)
    assert (response.status, (await response.json())["reason"]) == (413, "RequestEntityTooLarge")


async def test_a_body_that_is_no_json_is_a_bad_request(client: Client) -> None:
    response = await client.post(RULES, data=b"{", headers={"Content-Type": "application/json"})
    assert response.status == 400
    deep = await client.post(RULES, data=b"[" * 100_000, headers={"Content-Type": "application/json"})
    assert deep.status == 400


async def test_a_table_has_istios_columns(client: Client) -> None:
    await create(client, "payment")
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
    table = await (await client.get(RULES, headers=accept)).json()
    assert table["kind"] == "Table"
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Host", "Age", "Status"]
    (row,) = table["rows"]
    assert row["cells"][:2] == ["payment", "payment"]
    assert row["object"]["metadata"]["name"] == "payment"
    assert len((await (await client.get(f"{RULES}/payment", headers=accept)).json())["rows"]) == 1
