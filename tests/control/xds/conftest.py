import asyncio

import pytest

from pymesh.control.metrics import ControlMetrics
from pymesh.control.xds.publisher import Publisher
from pymesh.control.xds.session import Peer
from pymesh.xds import CLUSTER, TYPES, DeltaPoll, DeltaRequest, ErrorDetail, Node, NodeMetadata


def build(snapshot, node):
    """A snapshot is {type URL: {name: any}}; RuntimeError stands for a bug."""
    if isinstance(snapshot, Exception):
        raise snapshot
    return {t: {n: {"@type": t, "name": n, "value": v} for n, v in r.items()} for t, r in snapshot.items()}


class Proxy:
    """One of our proxies, as it polls: remembers its nonces and what it holds."""

    def __init__(self, publisher, node_id="sidecar~127.0.0.1~web-v1-a.default~x", identity=None):
        self.publisher = publisher
        self.node = Node(node_id, metadata=NodeMetadata(name="web-v1-a"))
        self.peer = Peer(node_id, identity)
        self.nonces = {}
        self.versions = {t: {} for t in TYPES}
        self.errors = {}

    def request(self, type_url):
        if nonce := self.nonces.get(type_url):
            return DeltaRequest(type_url, nonce, error_detail=self.errors.get(type_url))
        return DeltaRequest(type_url, initial_resource_versions=self.versions[type_url])

    async def poll(self, seconds=0.0):
        """Names of what came, by type; None when nothing changed."""
        poll = DeltaPoll(self.node, tuple(self.request(t) for t in TYPES))
        answer = await self.publisher.poll_delta(poll, self.peer, seconds, lambda: True)
        return answer and {response.type_url: self.take(response) for response in answer.responses}

    def take(self, response):
        self.nonces[response.type_url] = response.nonce
        self.errors.pop(response.type_url, None)
        held = self.versions[response.type_url]
        held |= {resource.name: resource.version for resource in response.resources}
        for name in response.removed_resources:
            held.pop(name, None)
        return [resource.name for resource in response.resources] + [f"-{n}" for n in response.removed_resources]

    def reject(self, type_url, message):
        self.errors[type_url] = ErrorDetail(message)

    def forget(self):
        self.nonces.clear()


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def metrics():
    return ControlMetrics()


@pytest.fixture
async def publisher(metrics, clock):
    return Publisher(build, metrics, clock)


@pytest.fixture
def make_proxy(publisher):
    return lambda *args, **kwargs: Proxy(publisher, *args, **kwargs)


@pytest.fixture
def proxy(make_proxy):
    return make_proxy()


@pytest.fixture
def held(publisher):
    """held(coroutine) -> task of a poll that is held now."""

    async def start(coroutine):
        task = asyncio.create_task(coroutine)
        for _ in range(10):  # turns of the event loop, until it has come to its wait
            await asyncio.sleep(0)
        assert any(session.waiting for session in publisher._sessions)
        return task

    return start


@pytest.fixture
def web():
    """A snapshot with one cluster."""
    return {CLUSTER: {"web": 1}}
