"""Watches: JSON lines as things change."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from pymesh.control.api.negotiation import Representation
from pymesh.control.api.representation import Form
from pymesh.control.api.watch import WatchOptions, serve_watch
from pymesh.control.model.kinds import WORKLOAD_ENTRY
from pymesh.control.model.resource import Resource
from pymesh.control.model.serializer import decode
from pymesh.control.store.memory import MemoryStore

ENTRIES = "/apis/networking.istio.io/v1/namespaces/default/workloadentries"

Client = TestClient[Any, Any]


def entry(name: str, namespace: str = "default", **labels: str) -> Resource[Any]:
    return decode(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "WorkloadEntry",
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "spec": {"address": "10.0.0.1"},
        }
    )


async def watch(client: Client, **query: str) -> ClientResponse:
    return await client.get(ENTRIES, params={"watch": "true", **query})


async def take(response: ClientResponse, count: int) -> list[dict[str, Any]]:
    return [json.loads(await asyncio.wait_for(response.content.readline(), 5)) for _ in range(count)]


def seen(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["type"], event["object"]["metadata"]["name"]) for event in events]


async def test_a_watch_without_a_version_begins_with_what_is_there(client: Client, store: MemoryStore) -> None:
    await store.create(entry("a"))
    response = await watch(client)
    assert seen(await take(response, 1)) == [("ADDED", "a")]
    await store.create(entry("b"))
    await store.delete("WorkloadEntry", "default", "a")
    assert seen(await take(response, 2)) == [("ADDED", "b"), ("DELETED", "a")]


async def test_a_watch_from_a_version_has_all_that_came_after(client: Client, store: MemoryStore) -> None:
    for name in "abc":
        await store.create(entry(name))
    events = await take(await watch(client, resourceVersion="1"), 2)
    assert seen(events) == [("ADDED", "b"), ("ADDED", "c")]
    assert [event["object"]["metadata"]["resourceVersion"] for event in events] == ["2", "3"]


async def test_a_watch_sees_its_namespace_and_kind_only(client: Client, store: MemoryStore) -> None:
    response = await watch(client)
    await store.create(entry("elsewhere", "other"))
    await store.create(decode({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}))
    await store.create(entry("here"))
    assert seen(await take(response, 1)) == [("ADDED", "here")]


async def test_an_object_that_leaves_the_selection_is_gone(client: Client, store: MemoryStore) -> None:
    response = await watch(client, labelSelector="app=web")
    await store.create(entry("a"))
    await store.replace(entry("a", app="web"), None)
    await store.replace(entry("a", app="web", version="v2"), None)
    await store.replace(entry("a", app="db"), None)
    assert seen(await take(response, 3)) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


async def test_a_version_that_is_not_kept_is_410(client: Client, store: MemoryStore) -> None:
    for number in range(8):
        await store.create(entry(f"e{number}"))
    response = await watch(client, resourceVersion="1")
    assert (response.status, (await response.json())["reason"]) == (410, "Expired")
    assert (await watch(client, resourceVersion="99")).status == 410


async def test_a_watch_ends_when_the_client_said(client: Client) -> None:
    response = await watch(client, timeoutSeconds="1")
    assert await asyncio.wait_for(response.read(), 5) == b""


async def test_a_bookmark_ends_what_is_there_for_those_who_ask(client: Client, store: MemoryStore) -> None:
    await store.create(entry("e1"))
    response = await watch(client, sendInitialEvents="true", allowWatchBookmarks="true", resourceVersion="1")
    added, bookmark = await take(response, 2)
    assert (added["type"], bookmark["type"]) == ("ADDED", "BOOKMARK")
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


class Beating(NamedTuple):
    client: Client
    ended: asyncio.Event


@pytest.fixture
async def beating(store: MemoryStore) -> AsyncIterator[Beating]:
    """Watches whose hearts beat quickly; `ended` is set when the first has ended."""
    ended = asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        bookmarks = "bookmarks" in request.query
        form = Form(WORKLOAD_ENTRY, "networking.istio.io/v1", Representation(), "Metadata")
        options = WatchOptions(form, lambda one: True, None, None, bookmarks)
        try:
            return await serve_watch(request, store, options, heartbeat=0.02)
        finally:
            ended.set()

    app = web.Application()
    app.add_routes([web.get("/watch", handle)])
    async with TestClient(TestServer(app)) as client:
        yield Beating(client, ended)


async def test_bookmarks_carry_the_revision(beating: Beating, store: MemoryStore) -> None:
    await store.create(decode({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}))
    (event,) = await take(await beating.client.get("/watch", params={"bookmarks": "1"}), 1)
    assert event["type"] == "BOOKMARK"
    assert event["object"]["metadata"]["resourceVersion"] == "1"


async def test_a_watch_whose_client_has_gone_ends(beating: Beating) -> None:
    response = await beating.client.get("/watch")
    assert not beating.ended.is_set()
    response.close()
    await asyncio.wait_for(beating.ended.wait(), 5)
