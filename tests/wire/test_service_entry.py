"""ServiceEntry, WorkloadEntry, Endpoints, EndpointSlice: where the instances of a host are, and which one is asked."""

from collections import Counter
from typing import Any

import pytest

ENTRY = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: catalog}
spec:
  hosts: [catalog.example.com]
  ports: [{number: 80, name: http, protocol: HTTP}]
"""
WORKLOAD = """
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: NAME}
spec: {address: 127.0.0.1, labels: {app: catalog}, MORE}
"""
URL = "http://catalog.example.com/"


def entry(*fields: str) -> str:
    return ENTRY + "".join(f"  {field}\n" for field in fields)


def workload(name: str, more: str) -> str:
    return WORKLOAD.replace("NAME", name).replace("MORE", more)


async def apps_of(web: Any, count: int, url: str = URL) -> Counter[str | None]:
    return Counter([(await web.get(url)).app for _ in range(count)])


@pytest.mark.parametrize(
    "fields",
    [
        ["resolution: STATIC", "endpoints: [{address: 127.0.0.1, ports: {http: $v1}}]"],
        ["resolution: STATIC", "location: MESH_INTERNAL", "endpoints: [{address: 127.0.0.1, ports: {http: $v1}}]"],
        ["resolution: DNS", "endpoints: [{address: localhost, ports: {http: $v1}}]"],
        ["resolution: DNS_ROUND_ROBIN", "endpoints: [{address: localhost, ports: {http: $v1}}]"],
    ],
)
async def test_endpoints_of_the_entry_are_asked(mesh: Any, fields: list[str]) -> None:
    await mesh.start("v1")
    async with mesh.sidecar(entry(*fields)) as web:
        assert await apps_of(web, 2) == {"v1": 2}


async def test_a_target_port_is_that_of_every_endpoint_without_its_own(mesh: Any) -> None:
    await mesh.start("v1", "v2")
    yaml = entry("resolution: STATIC", "endpoints: [{address: 127.0.0.1}, {address: 127.0.0.1, ports: {http: $v2}}]")
    async with mesh.sidecar(yaml.replace("protocol: HTTP", "protocol: HTTP, targetPort: $v1")) as web:
        assert set(await apps_of(web, 20)) == {"v1", "v2"}


async def test_an_endpoints_weight_is_its_share(mesh: Any) -> None:
    await mesh.start("v1", "v2")
    endpoints = [f"{{address: 127.0.0.1, ports: {{http: ${name}}}, weight: {w}}}" for name, w in (("v1", 3), ("v2", 1))]
    policy = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: catalog}
spec: {host: catalog.example.com, trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}}
"""
    yaml = entry("resolution: STATIC", f"endpoints: [{', '.join(endpoints)}]")
    async with mesh.sidecar(f"{yaml}---{policy}") as web:
        assert await apps_of(web, 40) == {"v1": 30, "v2": 10}


async def test_an_endpoints_labels_make_subsets(mesh: Any) -> None:
    await mesh.start("v1", "v2")
    endpoints = ", ".join(
        f"{{address: 127.0.0.1, ports: {{http: ${name}}}, labels: {{track: {name}}}}}" for name in mesh.apps
    )
    rules = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: catalog}
spec: {host: catalog.example.com, subsets: [{name: canary, labels: {track: v2}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: catalog}
spec: {hosts: [catalog.example.com], http: [{route: [{destination: {host: catalog.example.com, subset: canary}}]}]}
"""
    async with mesh.sidecar(f"{entry('resolution: STATIC', f'endpoints: [{endpoints}]')}---{rules}") as web:
        assert await apps_of(web, 10) == {"v2": 10}


async def test_the_near_endpoints_are_asked_while_they_are_healthy(mesh: Any) -> None:
    await mesh.start("v1", "v2")
    places = {"v1": "eu/a", "v2": "us/a"}
    endpoints = ", ".join(
        f"{{address: 127.0.0.1, ports: {{http: ${name}}}, locality: {place}}}" for name, place in places.items()
    )
    policy = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: catalog}
spec:
  host: catalog.example.com
  trafficPolicy: {outlierDetection: {consecutive5xxErrors: 1, baseEjectionTime: 1m, maxEjectionPercent: 100}}
"""
    yaml = f"{entry('resolution: STATIC', f'endpoints: [{endpoints}]')}---{policy}"
    async with mesh.sidecar(yaml, locality="us/a") as web:
        assert await apps_of(web, 10) == {"v2": 10}
        mesh.apps["v2"].status = 500
        assert await apps_of(web, 10) == {"v2": 1, "v1": 9}


async def test_a_selector_finds_workload_entries(mesh: Any) -> None:
    await mesh.start("v1", "v2")
    workloads = [workload("one", "ports: {http: $v1}"), workload("two", "ports: {http: $v2}")]
    yaml = "---".join([entry("resolution: STATIC", "workloadSelector: {labels: {app: catalog}}"), *workloads])
    async with mesh.sidecar(yaml) as web:
        assert set(await apps_of(web, 20)) == {"v1", "v2"}


async def test_a_workload_entrys_weight_is_its_share(mesh: Any) -> None:
    await mesh.start("v1", "v2")
    workloads = [workload("one", "ports: {http: $v1}, weight: 4"), workload("two", "ports: {http: $v2}, weight: 1")]
    policy = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: catalog}
spec: {host: catalog.example.com, trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}}
"""
    selected = entry("resolution: STATIC", "workloadSelector: {labels: {app: catalog}}")
    async with mesh.sidecar("---".join([selected, *workloads, policy])) as web:
        assert await apps_of(web, 50) == {"v1": 40, "v2": 10}


@pytest.mark.parametrize(
    ("exported", "namespace", "is_seen"),
    [
        ("['.']", "default", True),
        ("['.']", "other", False),
        ("[other]", "other", True),
        ("['*']", "other", True),
    ],
)
async def test_an_entry_is_seen_where_it_is_exported_to(
    mesh: Any, exported: str, namespace: str, is_seen: bool
) -> None:
    await mesh.start("v1")
    yaml = entry("resolution: STATIC", "endpoints: [{address: 127.0.0.1, ports: {http: $v1}}]", f"exportTo: {exported}")
    only_known = """
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: "outboundTrafficPolicy: {mode: REGISTRY_ONLY}"}
"""
    async with mesh.sidecar(f"{yaml}---{only_known}", namespace=namespace) as web:
        assert (await web.get(URL)).status == (200 if is_seen else 502)


@pytest.mark.parametrize(
    "objects",
    [
        """
apiVersion: v1
kind: Endpoints
metadata: {name: bare}
subsets: [{addresses: [{ip: 127.0.0.1}], ports: [{name: http, port: $v1}]}]
""",
        """
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: bare-1, labels: {kubernetes.io/service-name: bare}}
addressType: IPv4
endpoints: [{addresses: [127.0.0.1], conditions: {ready: true}}]
ports: [{name: http, port: $v1}]
""",
    ],
)
async def test_a_service_without_a_selector_has_the_endpoints_that_are_written(mesh: Any, objects: str) -> None:
    await mesh.start("v1")
    service = """
apiVersion: v1
kind: Service
metadata: {name: bare}
spec: {ports: [{port: 80, name: http}]}
"""
    async with mesh.sidecar(f"{service}---{objects}") as web:
        assert await apps_of(web, 2, "http://bare/") == {"v1": 2}
