"""DestinationRule, field by field: to whom a request goes, by what connection, and when it does not."""

import asyncio
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

ALL = ["v1", "v2"]

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: shop}}
spec:
  hosts: [shop]
  http: [{{route: [{{destination: {{host: shop, subset: all, port: {{number: 80}}}}}}], retries: {{attempts: 0}}}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: shop}}
spec: {{host: shop, {more} {policy} subsets: [{{name: all, labels: {{app: shop}}{subset}}}]}}
"""


def rules(policy: str = "", subset: str = "", more: str = "") -> str:
    policy = f"trafficPolicy: {{{policy}}}," if policy else ""
    subset = f", trafficPolicy: {{{subset}}}" if subset else ""
    return RULES.format(policy=policy, subset=subset, more=more)


def at_port(policy: str) -> str:
    return f"portLevelSettings: [{{port: {{number: 80}}, {policy}}}]"


# Where a block may stand, and what it replaces there.
PLACES: dict[str, Callable[[str, str], str]] = {
    "rule": lambda block, other: rules(block),
    "port": lambda block, other: rules(f"{other}, {at_port(block)}"),
    "subset": lambda block, other: rules(other, block),
    "port of a subset": lambda block, other: rules(other, f"{other}, {at_port(block)}"),
}
everywhere = pytest.mark.parametrize("place", PLACES)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return str(tmp_path / "ca.pem")


def server_tls(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


async def apps_of(web: Any, count: int, **headers: str) -> list[str]:
    return [(await web.get("http://shop/", **headers)).app for _ in range(count)]


# each block, in each place


@everywhere
async def test_a_balancer_holds_in_its_place(mesh: Any, place: str) -> None:
    await mesh.start(*ALL)
    block = "loadBalancer: {consistentHash: {httpHeaderName: x-user}}"
    async with mesh.sidecar(PLACES[place](block, "loadBalancer: {simple: RANDOM}")) as web:
        chosen = [set(await apps_of(web, 3, x_user=f"user-{i}")) for i in range(12)]
    assert all(len(apps) == 1 for apps in chosen)
    assert set.union(*chosen) == set(ALL)


@everywhere
async def test_a_connection_pool_holds_in_its_place(mesh: Any, place: str) -> None:
    await mesh.start("v1")
    block = "connectionPool: {http: {maxRequestsPerConnection: 1}}"
    async with mesh.sidecar(PLACES[place](block, "connectionPool: {http: {maxRequestsPerConnection: 2}}")) as web:
        await apps_of(web, 4)
    assert mesh.apps["v1"].connections == 4


@everywhere
async def test_outlier_detection_holds_in_its_place(mesh: Any, place: str) -> None:
    await mesh.start(*ALL)
    mesh.apps["v1"].status = 500
    block = "outlierDetection: {consecutive5xxErrors: 1, maxEjectionPercent: 100, baseEjectionTime: 1m}"
    async with mesh.sidecar(PLACES[place](block, "outlierDetection: {consecutive5xxErrors: 0}")) as web:
        apps = await apps_of(web, 20)
    assert apps.count("v1") == 1


@everywhere
async def test_tls_holds_in_its_place(mesh: Any, place: str, authority: trustme.CA, ca_file: str) -> None:
    await mesh.start("v1", ssl=server_tls(authority, "shop.example.com"))
    block = f"tls: {{mode: SIMPLE, caCertificates: {ca_file}, sni: shop.example.com}}"
    async with mesh.sidecar(PLACES[place](block, "tls: {mode: DISABLE}")) as web:
        assert await apps_of(web, 1) == ["v1"]


# loadBalancer


@pytest.mark.parametrize("simple", ["ROUND_ROBIN", "RANDOM", "LEAST_REQUEST", "LEAST_CONN", "UNSPECIFIED"])
async def test_a_simple_balancer_uses_every_instance(mesh: Any, simple: str) -> None:
    await mesh.start(*ALL)
    async with mesh.sidecar(rules(f"loadBalancer: {{simple: {simple}}}")) as web:
        apps = await apps_of(web, 40)
    assert set(apps) == set(ALL)
    if simple == "ROUND_ROBIN":
        assert apps[::2] == [apps[0]] * 20


@pytest.mark.parametrize(
    "algorithm", ["ringHash: {minimumRingSize: 64}", "maglev: {tableSize: 101}", "minimumRingSize: 64"]
)
@pytest.mark.parametrize(
    "key", ["httpHeaderName: x-user", "httpQueryParameterName: user", "httpCookie: {name: user, ttl: 0s}"]
)
async def test_equal_keys_go_to_one_instance(mesh: Any, key: str, algorithm: str) -> None:
    await mesh.start(*ALL)
    async with mesh.sidecar(rules(f"loadBalancer: {{consistentHash: {{{key}, {algorithm}}}}}")) as web:
        chosen = [
            {(await web.get(f"http://shop/?user=u{i}", x_user=f"u{i}", cookie=f"user=u{i}")).app for _ in range(3)}
            for i in range(16)
        ]
    assert all(len(apps) == 1 for apps in chosen)
    assert set.union(*chosen) == set(ALL)


async def test_the_address_of_the_caller_is_a_key(mesh: Any) -> None:
    await mesh.start(*ALL)
    async with mesh.sidecar(rules("loadBalancer: {consistentHash: {useSourceIp: true}}")) as web:
        assert len(set(await apps_of(web, 20))) == 1


async def test_a_cookie_that_is_missing_is_made(mesh: Any) -> None:
    await mesh.start(*ALL)
    cookie = "{name: user, path: /shop, ttl: 60s, attributes: [{name: SameSite, value: Lax}, {name: Secure}]}"
    async with mesh.sidecar(rules(f"loadBalancer: {{consistentHash: {{httpCookie: {cookie}}}}}")) as web:
        first = await web.get("http://shop/")
        name_and_value, *attributes = first.headers["set-cookie"].split("; ")
        again = [await web.get("http://shop/", cookie=name_and_value.replace('"', "")) for _ in range(6)]
    assert name_and_value.startswith("user=")
    assert {"Path=/shop", "Max-Age=60", "SameSite=Lax", "Secure"} <= set(attributes)
    assert {answer.app for answer in again} == {first.app}
    assert not any("set-cookie" in answer.headers for answer in again)


# connectionPool


async def test_requests_beyond_the_limit_are_refused(mesh: Any) -> None:
    await mesh.start("v1")
    app = mesh.apps["v1"]
    app.may_answer.clear()
    async with mesh.sidecar(rules("connectionPool: {http: {http2MaxRequests: 1}}")) as web:
        first = asyncio.create_task(web.get("http://shop/"))
        await mesh.wait_until(lambda: app.requests)
        second = await web.get("http://shop/")
        app.may_answer.set()
        assert (await first).status == 200
    assert (second.status, second.headers["x-envoy-overloaded"]) == (503, "true")


async def test_requests_wait_for_a_connection_up_to_the_limit(mesh: Any) -> None:
    await mesh.start("v1")
    app = mesh.apps["v1"]
    app.may_answer.clear()
    limits = "connectionPool: {tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1}}"
    async with mesh.sidecar(rules(limits)) as web:
        first = asyncio.create_task(web.get("http://shop/"))
        await mesh.wait_until(lambda: app.requests)
        others = [asyncio.create_task(web.get("http://shop/")) for _ in range(2)]
        done, waiting = await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)
        app.may_answer.set()
        answers = [await task for task in [first, *waiting]]
    assert [task.result().status for task in done] == [503]
    assert [answer.status for answer in answers] == [200, 200]
    assert app.connections == 1


@pytest.mark.parametrize(
    "pool",
    ["tcp: {maxConnectionDuration: 50ms}", "tcp: {idleTimeout: 50ms}", "http: {idleTimeout: 50ms}"],
)
async def test_a_connection_ends_after_its_time(mesh: Any, pool: str) -> None:
    await mesh.start("v1")
    app = mesh.apps["v1"]
    async with mesh.sidecar(rules(f"connectionPool: {{{pool}}}")) as web:
        await apps_of(web, 1)
        await mesh.wait_until(lambda: app.open_connections == 0)
        await apps_of(web, 1)
    assert app.connections == 2


async def test_connections_are_kept_without_a_limit(mesh: Any) -> None:
    await mesh.start("v1")
    async with mesh.sidecar(rules()) as web:
        await apps_of(web, 5)
    assert mesh.apps["v1"].connections == 1


async def test_keepalive_is_asked_of_the_kernel(mesh: Any) -> None:
    await mesh.start("v1")
    keepalive = "connectionPool: {tcp: {tcpKeepalive: {probes: 3, time: 500s, interval: 10s}}}"
    async with mesh.sidecar(rules(keepalive)) as web:
        await apps_of(web, 1)
        timer, left = kernel_timer(mesh.apps["v1"].port)
    assert timer == "keepalive"
    assert 490 < left <= 500


def kernel_timer(port: int) -> tuple[str, float]:
    """Of the connection to a port: what the kernel waits for, and how many seconds (proc(5), /proc/net/tcp)."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[2].endswith(f":{port:04X}") and fields[3] == "01":  # to the port, established
            timer, _, jiffies = fields[5].partition(":")
            return {"02": "keepalive"}.get(timer, timer), int(jiffies, 16) / 100
    raise AssertionError(f"no connection to {port}")


# outlierDetection


@pytest.mark.parametrize(
    ("detection", "status", "failures"),
    [
        ("consecutiveErrors: 2", 503, 2),
        ("consecutiveGatewayErrors: 2, consecutive5xxErrors: 0", 503, 2),
        ("consecutive5xxErrors: 3", 500, 3),
        ("consecutiveGatewayErrors: 2, consecutive5xxErrors: 0", 500, None),
        ("consecutive5xxErrors: 0", 500, None),
        ("splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 1, consecutive5xxErrors: 0", 500, None),
    ],
)
async def test_an_instance_is_ejected_after(mesh: Any, detection: str, status: int, failures: int | None) -> None:
    await mesh.start(*ALL)
    mesh.apps["v1"].status = status
    block = f"outlierDetection: {{{detection}, maxEjectionPercent: 100, baseEjectionTime: 1m}}"
    async with mesh.sidecar(rules(f"{block}, loadBalancer: {{simple: ROUND_ROBIN}}")) as web:
        apps = await apps_of(web, 20)
    assert apps.count("v1") == (failures or 10)


async def test_an_instance_that_refuses_connections_is_ejected(mesh: Any) -> None:
    await mesh.start(*ALL)
    await mesh.apps["v1"].aclose()
    detection = "splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 2, consecutive5xxErrors: 0"
    block = f"outlierDetection: {{{detection}, maxEjectionPercent: 100, baseEjectionTime: 1m}}"
    async with mesh.sidecar(rules(f"{block}, loadBalancer: {{simple: ROUND_ROBIN}}")) as web:
        statuses = [(await web.get("http://shop/")).status for _ in range(12)]
    assert (statuses.count(503), statuses.count(200)) == (2, 10)


async def test_no_more_are_ejected_than_the_percentage(mesh: Any) -> None:
    await mesh.start(*ALL)
    for app in mesh.apps.values():
        app.status = 500
    block = "outlierDetection: {consecutive5xxErrors: 1, maxEjectionPercent: 50, baseEjectionTime: 1m}"
    async with mesh.sidecar(rules(f"{block}, loadBalancer: {{simple: ROUND_ROBIN}}")) as web:
        apps = await apps_of(web, 10)
    assert len(set(apps[2:])) == 1


# tls


@pytest.mark.parametrize(
    ("tls", "is_trusted"),
    [
        ("caCertificates: $ca, sni: shop.example.com", True),
        ("caCertificates: $ca, sni: other.example.com", True),  # an sni of the rule's own ends the check of names
        ("caCertificates: $ca, subjectAltNames: [shop.example.com]", True),
        ("caCertificates: $ca, subjectAltNames: [other.example.com]", False),
        ("sni: shop.example.com", False),
        ("insecureSkipVerify: true", True),
    ],
)
async def test_a_server_is_trusted(mesh: Any, tls: str, is_trusted: bool, authority: trustme.CA, ca_file: str) -> None:
    await mesh.start("v1", ssl=server_tls(authority, "shop.example.com"))
    block = f"tls: {{mode: SIMPLE, {tls.replace('$ca', ca_file)}}}"
    async with mesh.sidecar(rules(block)) as web:
        answer = await web.get("http://shop/")
    assert answer.status == (200 if is_trusted else 503)


@pytest.mark.parametrize(("name", "is_trusted"), [("shop.example.com", True), ("other.example.com", False)])
async def test_a_server_has_the_names_of_its_service_entry_where_the_rule_has_none(
    mesh: Any, name: str, is_trusted: bool, authority: trustme.CA, ca_file: str
) -> None:
    await mesh.start("v1", ssl=server_tls(authority, "shop.example.com"))
    yaml = f"""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: catalog}}
spec:
  hosts: [catalog.example.com]
  ports: [{{number: 80, name: http, protocol: HTTP}}]
  resolution: STATIC
  endpoints: [{{address: 127.0.0.1, ports: {{http: $v1}}}}]
  subjectAltNames: [{name}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: catalog}}
spec: {{host: catalog.example.com, trafficPolicy: {{tls: {{mode: SIMPLE, caCertificates: {ca_file}}}}}}}
"""
    async with mesh.sidecar(yaml) as web:
        assert (await web.get("http://catalog.example.com/")).status == (200 if is_trusted else 503)


async def test_a_client_shows_its_certificate(mesh: Any, authority: trustme.CA, ca_file: str, tmp_path: Path) -> None:
    context = server_tls(authority, "shop.example.com")
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    await mesh.start("v1", ssl=context)
    own = authority.issue_cert("web.example.com")
    own.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    own.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    trust = f"caCertificates: {ca_file}, sni: shop.example.com"
    files = f"clientCertificate: {tmp_path}/cert.pem, privateKey: {tmp_path}/key.pem"
    async with mesh.sidecar(rules(f"tls: {{mode: MUTUAL, {trust}, {files}}}")) as web:
        assert await apps_of(web, 1) == ["v1"]
    async with mesh.sidecar(rules(f"tls: {{mode: SIMPLE, {trust}}}")) as web:
        assert (await web.get("http://shop/")).status == 503


@pytest.mark.parametrize(("label", "is_chosen"), [("web", True), ("other", False)])
async def test_a_sidecar_that_the_rule_chooses_shows_the_certificate_of_a_secret(
    mesh: Any, authority: trustme.CA, label: str, is_chosen: bool
) -> None:
    context = server_tls(authority, "shop.example.com")
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    await mesh.start("v1", ssl=context)
    own = authority.issue_cert("web.example.com")
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "shop-client"},
        "stringData": {
            "tls.crt": own.cert_chain_pems[0].bytes().decode(),
            "tls.key": own.private_key_pem.bytes().decode(),
            "ca.crt": authority.cert_pem.bytes().decode(),
        },
    }
    chosen = "workloadSelector: {matchLabels: {app: web}},"
    block = "tls: {mode: MUTUAL, credentialName: shop-client, sni: shop.example.com}"
    yaml = f"{rules(block, more=chosen)}---\n{json.dumps(secret)}\n"
    async with mesh.sidecar(yaml, labels={"app": label}) as web:
        assert (await web.get("http://shop/")).status == (200 if is_chosen else 503)


# whose traffic


@pytest.mark.parametrize(
    ("more", "labels", "holds"),
    [
        ("workloadSelector: {matchLabels: {app: web}},", {"app": "web"}, True),
        ("workloadSelector: {matchLabels: {app: web}},", {"app": "other"}, False),
        ("exportTo: ['.'],", {}, True),
        ("exportTo: [default],", {}, True),
    ],
)
async def test_a_rule_is_for_the_callers_it_names(mesh: Any, more: str, labels: dict[str, str], holds: bool) -> None:
    await mesh.start("v1")
    pool = "connectionPool: {http: {maxRequestsPerConnection: 1}}"
    # Without the rule its subset is missing, too.
    async with mesh.sidecar(rules(pool, more=more), labels=labels) as web:
        statuses = {(await web.get("http://shop/")).status for _ in range(2)}
    assert (statuses, mesh.apps["v1"].connections) == (({200}, 2) if holds else ({503}, 0))
