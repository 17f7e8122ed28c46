"""Istio's YAML -> bytes on the wire, in one process: the real translation, the real data plane, loopback connections.

    async def test_a_weight_is_obeyed(mesh: Mesh) -> None:
        await mesh.start("v1", "v2")            # two instances of the service `shop`, each labelled with its version
        async with mesh.sidecar(YAML) as web:   # `$v1` in the YAML is the port of that instance
            assert (await web.get("http://shop/")).app == "v2"

The sidecar is that of a client, and its HTTP proxy the way in. What the application saw of a request is in the answer.
Nothing here needs a control plane; what needs one is in tests/e2e.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from string import Template
from typing import Any, NamedTuple

import pytest

from pymesh.control.snapshot.mesh_snapshot import MeshSnapshot
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.build import build
from pymesh.proxy.data_plane import DataPlaneSpec
from pymesh.proxy.listen_sockets import OwnSockets
from pymesh.proxy.local_data_plane import LocalDataPlane
from pymesh.proxy.tls.secrets import SecretStore
from pymesh.simulation.files import build_configuration
from pymesh.xds import Address, DeltaResource, DeltaResponse, Node, NodeMetadata, Upstream, parse_node_locality

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {selector: {app: shop}, ports: [{port: 80, name: http}, {port: 9000, name: tcp}]}
"""
WORKLOAD = """
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: shop-$version}
spec: {address: 127.0.0.1, ports: {http: $port, tcp: $port}, labels: {app: shop, version: $version}}
"""
_SECONDS = 10.0


class Answer(NamedTuple):
    """`seen` is what the application says of the request; None where a proxy answered."""

    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def seen(self) -> Any:
        return json.loads(self.body) if self.headers.get("content-type") == "application/json" else None

    @property
    def app(self) -> str | None:
        return self.seen and self.seen["app"]


class Application:
    """An HTTP/1.1 server that answers each request with what it saw, by `status`, and once `may_answer` is set.

    `requests` are all that it saw; `connections` counts what it accepted.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.status = 200
        self.headers: dict[str, str] = {}
        self.requests: list[dict[str, Any]] = []
        self.connections = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.port = 0
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}

    @property
    def open_connections(self) -> int:
        return len(self._connections)

    async def start(self, ssl: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=ssl)
        self.port = self._server.sockets[0].getsockname()[1]

    async def aclose(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._connections:
            writer.close()
        await asyncio.gather(*self._connections.values())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._connections[writer] = task
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the proxy has ended the connection
        finally:
            del self._connections[writer]
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        method, target, _ = first.split(" ")
        pairs = [line.split(": ", 1) for line in lines]
        seen = {"app": self.name, "method": method, "target": target, "headers": {k.lower(): v for k, v in pairs}}
        await reader.readexactly(int(seen["headers"].get("content-length", "0")))
        self.requests.append(seen)
        await self.may_answer.wait()
        body = json.dumps(seen).encode()
        fields = {"content-type": "application/json", "content-length": str(len(body)), **self.headers}
        lines = [f"HTTP/1.1 {self.status} -", *(f"{name}: {value}" for name, value in fields.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode() + (body if method != "HEAD" else b""))
        await writer.drain()
        return True


class Sidecar:
    """What a client's application reaches of its sidecar."""

    def __init__(self, plane: LocalDataPlane) -> None:
        self.plane = plane

    async def get(self, url: str, method: str = "GET", **headers: str) -> Answer:
        """One request on a connection of its own. Underscores in names of headers are dashes."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        host = url.split("/")[2]
        lines = [f"{method} {url} HTTP/1.1", f"host: {fields.pop('host', host)}", "connection: close"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        return _parse_answer(await self.exchange("\r\n".join([*lines, "", ""]).encode()))

    async def exchange(self, data: bytes, listener: str = "http_proxy") -> bytes:
        """All that comes until the sidecar ends the connection."""
        address = self.plane.addresses()[listener]
        async with asyncio.timeout(_SECONDS):
            reader, writer = await asyncio.open_connection(address.host, address.port)
            try:
                writer.write(data)
                return await reader.read()
            finally:
                writer.close()


def _parse_answer(data: bytes) -> Answer:
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    return Answer(int(first.split(" ")[1]), headers, body)


class Mesh:
    """The applications, and the sidecars of those who call them."""

    def __init__(self) -> None:
        self.apps: dict[str, Application] = {}

    async def start(self, *versions: str, ssl: ssl.SSLContext | None = None) -> None:
        """Instances of the service `shop`."""
        for version in versions:
            app = self.apps[version] = Application(version)
            await app.start(ssl)

    async def wait_until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(_SECONDS):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def aclose(self) -> None:
        for app in self.apps.values():
            await app.aclose()

    @asynccontextmanager
    async def sidecar(
        self, yaml: str, *upstreams: Upstream, locality: str = "", **metadata: Any
    ) -> AsyncIterator[Sidecar]:
        """Of the workload `web`; `metadata` are fields of its NodeMetadata."""
        node = Node(
            "sidecar~127.0.0.1~web.default~default.svc.cluster.local",
            "",
            NodeMetadata(**{"name": "web", "outbound": Address("127.0.0.1", 0), "upstreams": upstreams, **metadata}),
            parse_node_locality(locality),
        )
        plane = LocalDataPlane(DataPlaneSpec(node, ""), OwnSockets(), SecretStore(), export=_drop)
        try:
            refused = await plane.apply(self._resources(yaml, node))
            assert not any(refused.values()), refused
            yield Sidecar(plane)
        finally:
            await plane.aclose()

    def _resources(self, yaml: str, node: Node) -> list[DeltaResponse]:
        ports = {name: str(app.port) for name, app in self.apps.items()}
        workloads = [Template(WORKLOAD).substitute(version=name, port=port) for name, port in ports.items()]
        text = "---".join([SERVICE, *workloads, Template(yaml).substitute(ports)])
        configuration = build_configuration([("mesh.yaml", text)])
        snapshot = MeshSnapshot.build(configuration.resources, configuration.mesh, 1)
        return [
            DeltaResponse(type_url, "1", tuple(DeltaResource(name, "1", item) for name, item in resources.items()))
            for type_url, resources in build(ProxyView(snapshot, node)).items()
        ]


async def _drop(path: str, body: bytes, headers: Any = None) -> None:
    """There is no collector of spans."""


@pytest.fixture
async def mesh() -> AsyncIterator[Mesh]:
    mesh = Mesh()
    try:
        yield mesh
    finally:
        await mesh.aclose()
