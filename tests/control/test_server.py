import asyncio
import json
import socket
import time

import aiohttp
import msgspec
import pytest

from pymesh.control.server import ControlOptions, ControlPlane
from pymesh.errors import UsageError
from pymesh.names import TLS_MODE_LABEL
from pymesh.spiffe import SpiffeId
from pymesh.state_dir import ControlAddresses, StateDir
from pymesh.xds import (
    CERTIFICATE_PATH,
    DELTA_PATH,
    LISTENER,
    ROOT_CERTIFICATE_PATH,
    TYPES,
    Address,
    DeltaPoll,
    DeltaRequest,
    Node,
    NodeMetadata,
    Registration,
)

ANY_PORT = Address("127.0.0.1", 0)
NODE = Node("sidecar~127.0.0.1~web-1.default~cluster.local", metadata=NodeMetadata(name="web-1", app_port=8080))
POLL = DeltaPoll(NODE, tuple(DeltaRequest(type_url) for type_url in TYPES))

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: echo}
spec: {ports: [{name: http, port: 80}], selector: {app: echo}}
"""


@pytest.fixture
def state_dir(tmp_path):
    return StateDir(tmp_path / "state")


@pytest.fixture
def options(state_dir):
    """options(**changed) -> ControlOptions with free ports."""

    def build(**fields):
        ports = {"listen": ANY_PORT, "tls_listen": ANY_PORT, "monitoring": ANY_PORT}
        return ControlOptions(**({"state_dir": state_dir, "poll_seconds": 5.0} | ports | fields))

    return build


@pytest.fixture
async def start(options):
    """start(**changed options) -> a control plane that runs until the test ends."""
    started = []

    async def run(**fields):
        started.append(ControlPlane(options(**fields)))
        await started[-1].start()
        return started[-1]

    yield run
    await asyncio.gather(*(control.aclose() for control in started))


@pytest.fixture
async def http():
    async with aiohttp.ClientSession() as session:
        yield session


async def fetch(http, url, method="GET", **options):
    async with http.request(method, url, **options) as response:
        return response.status, await response.text()


async def test_it_listens_and_says_where(start, state_dir, http):
    control = await start()
    assert msgspec.json.decode(state_dir.addresses.read_bytes(), type=ControlAddresses) == control.addresses
    assert (await fetch(http, f"{control.addresses.monitoring}/version"))[0] == 200
    assert control.addresses.tls.startswith("https://127.0.0.1:")


async def test_the_join_token_is_for_the_owner_only(start, state_dir):
    await start()
    assert state_dir.join_token.stat().st_mode & 0o777 == 0o600
    assert state_dir.read_join_token().count(".") == 2


async def test_a_proxy_gets_its_configuration(start, http):
    control = await start()
    status, text = await fetch(http, control.addresses.listen + DELTA_PATH, "POST", data=msgspec.json.encode(POLL))
    names = [item["name"] for response in json.loads(text)["responses"] for item in response.get("resources", [])]
    assert status == 200
    assert "PassthroughCluster" in names
    assert "virtualInbound" in names or "http_proxy" in names


async def test_configuration_files_are_loaded_at_the_start(start, http, tmp_path):
    (tmp_path / "echo.yaml").write_text(SERVICE)
    control = await start(config=(tmp_path / "echo.yaml",))
    assert (await fetch(http, f"{control.addresses.listen}/api/v1/namespaces/default/services/echo"))[0] == 200


async def test_a_directory_of_configuration_is_loaded_and_replaces_what_was_there(options, http, tmp_path):
    directory = tmp_path / "config"
    directory.mkdir()
    for number in (80, 81):
        (directory / "echo.yaml").write_text(SERVICE.replace("port: 80", f"port: {number}"))
        (directory / "README.md").write_text("not configuration")
        control = ControlPlane(options(config=(directory,)))
        await control.start()
        _, text = await fetch(http, f"{control.addresses.listen}/api/v1/namespaces/default/services/echo")
        await control.aclose()
    assert json.loads(text)["spec"]["ports"][0]["port"] == 81


@pytest.mark.parametrize(
    ("content", "reasons"),
    [
        ("kind: Service\nmetadata: [", ["bad.yaml: line"]),
        (SERVICE.replace("80", "0") + "---" + SERVICE.replace("port: 80", "port: 99999"), ["document 1", "document 2"]),
    ],
)
async def test_bad_configuration_is_refused_whole_with_a_line_for_each_violation(start, tmp_path, content, reasons):
    (tmp_path / "bad.yaml").write_text(content)
    with pytest.raises(UsageError) as caught:
        await start(config=(tmp_path / "bad.yaml",))
    lines = str(caught.value).splitlines()
    assert len(lines) == len(reasons)
    assert all(reason in line for reason, line in zip(reasons, lines, strict=True))


async def test_a_missing_configuration_file_is_a_usage_error(start, tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        await start(config=(tmp_path / "missing.yaml",))
    with pytest.raises(UsageError, match="No such file"):
        await start(mesh_config=tmp_path / "missing.yaml")


async def test_a_bad_mesh_config_is_a_usage_error(start, tmp_path):
    (tmp_path / "mesh.yaml").write_text("connectTimeout: soon\n")
    with pytest.raises(UsageError, match="connectTimeout"):
        await start(mesh_config=tmp_path / "mesh.yaml")


async def test_an_occupied_port_is_a_usage_error(start):
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        with pytest.raises(UsageError, match=f"--tls-listen 127.0.0.1:{port}: address already in use"):
            await start(tls_listen=Address("127.0.0.1", port))


async def test_plaintext_is_not_served_to_other_machines(start):
    with pytest.raises(UsageError, match="only for loopback"):
        await start(listen=Address("0.0.0.0", 0))


async def test_two_control_planes_do_not_share_a_state_dir(start):
    await start()
    with pytest.raises(UsageError, match="another control plane runs"):
        await start()


async def test_a_control_plane_that_did_not_start_leaves_the_state_dir_free(options, start):
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        failed = ControlPlane(options(monitoring=Address("127.0.0.1", occupied.getsockname()[1])))
        with pytest.raises(UsageError):
            await failed.start()
        await failed.aclose()
    await start()


async def test_it_ends_quickly_while_polls_and_watches_are_held(options, http):
    control = ControlPlane(options())
    await control.start()
    api = f"{control.addresses.listen}/api/v1/services"
    polls = [asyncio.create_task(hold_polls(http, control.addresses.listen)) for _ in range(3)]
    watch = asyncio.create_task(fetch(http, api, params={"watch": "true"}))
    await asyncio.sleep(0.2)
    before = time.monotonic()
    await control.aclose()
    assert time.monotonic() - before < 2
    assert [await poll for poll in polls] == [503, 503, 503]
    await asyncio.gather(watch, return_exceptions=True)


async def hold_polls(http, url):
    """Poll as a proxy does, until the answer is neither a configuration nor "nothing new". Its status."""
    nonces = {}
    while True:
        requests = tuple(DeltaRequest(type_url, nonces.get(type_url, "")) for type_url in TYPES)
        status, text = await fetch(http, url + DELTA_PATH, "POST", data=msgspec.json.encode(DeltaPoll(NODE, requests)))
        if status not in (200, 304):
            return status
        if status == 200:
            nonces |= {response["type_url"]: response["nonce"] for response in json.loads(text)["responses"]}


async def test_a_web_page_does_not_reach_the_plaintext_listener(start, http):
    control = await start()
    url = f"{control.addresses.listen}/api/v1/services"
    assert (await fetch(http, url, headers={"Origin": "http://evil.example"}))[0] == 403
    assert (await fetch(http, url, headers={"Origin": control.addresses.listen}))[0] == 200


async def test_a_web_page_whose_name_points_to_this_machine_reads_nothing(start, http):
    control = await start()
    for url in (f"{control.addresses.listen}/api/v1/secrets", f"{control.addresses.monitoring}/debug/syncz"):
        assert (await fetch(http, url, headers={"Host": "evil.example:15010"}))[0] == 403
        for name in ("localhost:1", "[::1]:1", "pymesh-control", "127.0.0.1"):
            assert (await fetch(http, url, headers={"Host": name}))[0] == 200


async def test_it_is_not_ready_after_a_task_of_its_own_has_crashed(start, http):
    async def bug():
        raise RuntimeError("a bug")

    control = await start()
    await fetch(http, control.addresses.listen + DELTA_PATH, "POST", data=msgspec.json.encode(POLL))
    assert (await fetch(http, f"{control.addresses.monitoring}/ready"))[0] == 200
    await asyncio.wait([control.tasks.spawn("controller", bug())])
    assert (await fetch(http, f"{control.addresses.monitoring}/ready"))[0] == 503


async def test_the_api_is_not_served_over_tls(start, http, state_dir):
    control = await start()
    url = control.addresses.tls
    assert (await fetch(http, f"{url}/api/v1/services", ssl=False))[0] == 401
    assert (await fetch(http, f"{url}/v1/metrics", "POST", ssl=False))[0] == 401
    assert (await fetch(http, url + ROOT_CERTIFICATE_PATH, ssl=False))[0] == 200


@pytest.fixture
def join(http, make_csr, state_dir, tmp_path):
    """join(control, identity) -> an SSL context of a workload that has got its certificate from the control plane."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    async def run(control, identity):
        import ssl

        key = ec.generate_private_key(ec.SECP256R1())
        headers = {"Authorization": f"Bearer {state_dir.read_join_token()}"}
        body = {"csr": make_csr(uri=str(identity), key=key)}
        url = control.addresses.tls + CERTIFICATE_PATH
        async with http.post(url, json=body, headers=headers, ssl=False) as response:
            chain = (await response.json())["cert_chain"]
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (tmp_path / "workload.pem").write_text(pem.decode() + "".join(chain))
        context = ssl.create_default_context(cadata=chain[-1])
        context.load_cert_chain(tmp_path / "workload.pem")
        return context

    return run


async def test_a_workload_joins_registers_and_leaves_over_tls(start, http, join):
    control = await start()
    tls = {"ssl": await join(control, SpiffeId("default", "default")), "server_hostname": "istiod.istio-system.svc"}
    url = control.addresses.tls
    labels = {TLS_MODE_LABEL: "istio"}
    registration = Registration("web", "web-v1", "127.0.0.1", 15006, 8080, "http", "default", labels, healthy=True)
    path = f"{url}/pymesh/v1/workloads/default/web-1"
    assert (await fetch(http, path, "PUT", data=msgspec.json.encode(registration), **tls))[0] == 204
    assert (await fetch(http, url + DELTA_PATH, "POST", data=msgspec.json.encode(POLL), **tls))[0] == 200

    endpointz = f"{control.addresses.monitoring}/debug/endpointz"
    expected = [{"address": "127.0.0.1", "port": 15006, "workload": "web-v1;default;web;latest;pymesh"}]
    assert expected in await wait_endpoints(http, endpointz)
    assert json.loads((await fetch(http, path, "DELETE", **tls))[1]) == {"converged": True}
    assert [item["endpoints"] for item in json.loads((await fetch(http, endpointz))[1])] == [[]]


async def wait_endpoints(http, url):
    """The endpoint lists, once there is one that is not empty."""
    while True:
        found = [item["endpoints"] for item in json.loads((await fetch(http, url))[1])]
        if any(found):
            return found
        await asyncio.sleep(0.01)


async def test_operators_see_proxies_services_and_metrics(start, http):
    control = await start()
    await fetch(http, control.addresses.listen + DELTA_PATH, "POST", data=msgspec.json.encode(POLL))
    monitoring = control.addresses.monitoring
    [proxy] = json.loads((await fetch(http, f"{monitoring}/debug/syncz"))[1])
    assert (proxy["proxy"], proxy["types"]["CDS"]["status"]) == ("web-1.default", "SYNCED")
    dump = json.loads((await fetch(http, f"{monitoring}/debug/config_dump?proxyID=web-1.default"))[1])
    assert any(resource["name"] == "PassthroughCluster" for resource in dump["configs"] if "name" in resource)
    assert (await fetch(http, f"{monitoring}/debug/config_dump?proxyID=nobody"))[0] == 404
    assert json.loads((await fetch(http, f"{monitoring}/debug/registryz"))[1]) == []
    assert (await fetch(http, f"{monitoring}/ready"))[0] == 200
    assert "pilot_xds_pushes" in (await fetch(http, f"{monitoring}/metrics"))[1]


async def test_an_oversized_or_malformed_body_is_refused_with_a_reason(start, http):
    control = await start()
    url = control.addresses.listen + DELTA_PATH
    assert (await fetch(http, url, "POST", data=b" " * (17 * 1024 * 1024)))[0] == 413
    status, reason = await fetch(http, url, "POST", data=b"{")
    assert status == 400
    assert "Traceback" not in reason


CONFIG_MAPS = "/api/v1/namespaces/istio-system/configmaps"


def mesh_config_map(text):
    metadata = {"name": "istio", "namespace": "istio-system"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"mesh": text}}


def listeners_of(text):
    answers = {response["type_url"]: response for response in json.loads(text)["responses"]}
    return {one["name"]: json.dumps(one["resource"]) for one in answers[LISTENER].get("resources", ())}


async def test_a_mesh_config_that_is_applied_reaches_proxies_with_the_next_push(start, http):
    url = (await start()).addresses.listen
    _, first = await fetch(http, url + DELTA_PATH, "POST", data=msgspec.json.encode(POLL))
    nonces = {response["type_url"]: response["nonce"] for response in json.loads(first)["responses"]}
    poll = DeltaPoll(NODE, tuple(DeltaRequest(type_url, nonces[type_url]) for type_url in TYPES))
    held = asyncio.create_task(fetch(http, url + DELTA_PATH, "POST", data=msgspec.json.encode(poll)))
    body = mesh_config_map("pathNormalization: {normalization: MERGE_SLASHES}\n")
    assert (await fetch(http, url + CONFIG_MAPS, "POST", json=body))[0] == 201
    _, second = await held
    assert "merge_slashes" in listeners_of(second)["http_proxy"]
    assert "merge_slashes" not in listeners_of(first)["http_proxy"]
    in_force = json.loads((await fetch(http, url + "/debug/mesh"))[1])
    assert in_force["pathNormalization"] == {"normalization": "MERGE_SLASHES"}


async def test_a_bad_mesh_config_is_refused_with_the_path(start, http):
    url = (await start()).addresses.listen
    status, text = await fetch(http, url + CONFIG_MAPS, "POST", json=mesh_config_map("connectTimeout: soon\n"))
    assert status == 422
    assert "data.mesh.connectTimeout" in text
