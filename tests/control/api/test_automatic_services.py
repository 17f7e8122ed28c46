"""A Service that the registry put there becomes that of the user who writes it."""

from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from pymesh.control.model.kinds import SERVICE
from pymesh.control.model.resource import Metadata, Resource
from pymesh.control.model.service import Service, ServicePort
from pymesh.control.store.memory import MemoryStore
from pymesh.names import MANAGED_BY_LABEL, MANAGED_BY_REGISTRY

PATH = "/api/v1/namespaces/shop/services"
DECLARED = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "payment"},
    "spec": {"ports": [{"port": 9080, "name": "http"}]},
}

DEFAULTS = {"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster"}
PORTS = [{"port": 9080, "name": "http", "protocol": "TCP", "targetPort": 9080}]

Client = TestClient[Any, Any]


@pytest.fixture(autouse=True)
async def automatic(store: MemoryStore) -> None:
    labels = {MANAGED_BY_LABEL: MANAGED_BY_REGISTRY}
    metadata = Metadata(name="payment", namespace="shop", labels=labels)
    spec = Service(ports=(ServicePort(name="http", port=80),), selector={"app": "payment"})
    await store.create(Resource(kind=SERVICE, metadata=metadata, spec=spec))


async def found(client: Client) -> dict[str, Any]:
    item: dict[str, Any] = await (await client.get(f"{PATH}/payment")).json()
    return item


async def test_it_can_be_created(client: Client) -> None:
    uid = (await found(client))["metadata"]["uid"]
    assert (await client.post(PATH, json=DECLARED)).status == 201
    assert (await client.post(PATH, json=DECLARED)).status == 409
    declared = await found(client)
    assert (declared["spec"], declared["metadata"]["uid"]) == ({"ports": PORTS, **DEFAULTS}, uid)
    assert "labels" not in declared["metadata"]


async def test_server_side_apply_has_nothing_to_merge_with(client: Client) -> None:
    headers = {"Content-Type": "application/apply-patch+yaml"}
    applied = await client.patch(f"{PATH}/payment", params={"fieldManager": "a"}, json=DECLARED, headers=headers)
    assert applied.status == 200
    declared = await found(client)
    assert (declared["spec"], "labels" in declared["metadata"]) == ({"ports": PORTS, **DEFAULTS}, False)
    assert [entry["manager"] for entry in declared["metadata"]["managedFields"]] == ["a"]


async def test_client_side_apply_keeps_the_ports_that_it_lists(client: Client) -> None:
    headers = {"Content-Type": "application/strategic-merge-patch+json"}
    patch = {"spec": {"$setElementOrder/ports": [{"port": 9080}], "ports": [{"port": 9080, "name": "http"}]}}
    patched = await client.patch(f"{PATH}/payment", json=patch, headers=headers)
    assert (await patched.json())["spec"] == {"ports": PORTS, "selector": {"app": "payment"}, **DEFAULTS}
    assert "labels" not in (await found(client))["metadata"]


async def test_a_label_declares_it_as_it_is(client: Client) -> None:
    headers = {"Content-Type": "application/merge-patch+json"}
    await client.patch(f"{PATH}/payment", json={"metadata": {"labels": {"team": "a"}}}, headers=headers)
    declared = await found(client)
    assert declared["metadata"]["labels"] == {"team": "a"}
    assert declared["spec"]["ports"] == [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 80}]
