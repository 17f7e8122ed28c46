"""What there is, plain and aggregated, says the same."""

from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from pymesh.control.model.kinds import KINDS

Client = TestClient[Any, Any]


async def get(client: Client, path: str, accept: str = "application/json") -> Any:
    return await (await client.get(path, headers={"Accept": accept})).json()


def aggregated(version: str) -> str:
    return f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList,application/json"


async def plain_resources(client: Client) -> set[tuple[str, str, str, bool]]:
    groups = (await get(client, "/apis"))["groups"]
    roots = {"v1": "/api/v1"} | {
        one["groupVersion"]: f"/apis/{one['groupVersion']}" for group in groups for one in group["versions"]
    }
    found = set()
    for group_version, path in roots.items():
        for one in (await get(client, path))["resources"]:
            found.add((group_version, one["name"], one["kind"], one["namespaced"]))
    return found


@pytest.mark.parametrize("version", ["v2", "v2beta1"])
async def test_aggregated_discovery_has_what_plain_discovery_has(client: Client, version: str) -> None:
    found = set()
    for path in ("/api", "/apis"):
        listed = await get(client, path, aggregated(version))
        assert listed["apiVersion"] == f"apidiscovery.k8s.io/{version}"
        for group in listed["items"]:
            for one in group["versions"]:
                group_version = f"{group['metadata']['name']}/{one['version']}".lstrip("/")
                for resource in one["resources"]:
                    kind, is_namespaced = resource["responseKind"]["kind"], resource["scope"] == "Namespaced"
                    found.add((group_version, resource["resource"], kind, is_namespaced))
                    for part in resource.get("subresources", ()):
                        name = f"{resource['resource']}/{part['subresource']}"
                        found.add((group_version, name, kind, is_namespaced))
    assert found == await plain_resources(client)


async def test_every_kind_is_there_in_every_version(client: Client) -> None:
    found = {(group_version, name) for group_version, name, _, _ in await plain_resources(client)}
    for kind in KINDS:
        for version in kind.versions:
            assert (f"{kind.group}/{version}".lstrip("/"), kind.plural) in found


async def test_a_group_has_its_preferred_version_first(client: Client) -> None:
    group = await get(client, "/apis/networking.istio.io")
    assert (
        group["preferredVersion"] == group["versions"][0] == {"groupVersion": "networking.istio.io/v1", "version": "v1"}
    )
    assert (await client.get("/apis/nobody.io")).status == 404
    assert (await client.get("/apis/networking.istio.io/v9")).status == 404
    assert (await get(client, "/version"))["major"] == "1"


@pytest.mark.parametrize("path", ["/version", "/api", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1"])
async def test_a_path_may_end_with_a_slash(client: Client, path: str) -> None:
    assert await get(client, f"{path}/") == await get(client, path)
