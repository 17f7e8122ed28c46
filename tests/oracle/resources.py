"""Setups -> xDS: what `pymesh control` makes of Istio's YAML, once for each case, with the case's own clusters.

A case has its own listener and its own clusters, so that cases can be played at the same time and none meets the
connections, counters or ejections of another.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import msgspec
import yaml

from oracle.script import GATEWAY, INBOUND, OUTBOUND, Case, Setup
from pymesh import xds
from pymesh.control.model.manifest import read_manifest
from pymesh.control.model.mesh_config_decoder import decode_mesh_config
from pymesh.control.snapshot.mesh_snapshot import MeshSnapshot
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.build import Resources, build
from pymesh.control.translate.type_urls import (
    HTTP_CONNECTION_MANAGER_FILTER,
    HTTP_PROTOCOL_OPTIONS,
    HTTP_PROTOCOL_OPTIONS_KEY,
)

Json = Any

APP = "app"  # the endpoint behind an inbound listener
_SHOP, _OTHER = "10.0.1.", "10.0.2."

_SERVICES = """
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {selector: {app: shop}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: other}
spec: {selector: {app: other}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: other-1}
spec: {address: 10.0.2.1, labels: {app: other, version: v1}, ports: {http: 8080}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: DISABLE}}
"""
_ENTRY = """
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {{name: shop-{number}}}
spec: {{address: 10.0.1.{number}, labels: {{app: shop, version: v{number}}}, ports: {{http: 8080}}}}
"""
_WORKLOAD = """
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata:
  name: web-1
  annotations: {pymesh.dev/service: web, pymesh.dev/inbound-port: "15006", pymesh.dev/app-port: "8001",
    pymesh.dev/app-protocol: http, pymesh.dev/workload-name: web-1}
spec: {address: 10.0.0.3, labels: {app: web}}
"""
_GATEWAY = """
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
"""
_GATEWAY_ROUTE = """
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: ["*"]
  gateways: [istio-system/edge]
  http: [{name: shop, route: [{destination: {host: shop}}]}]
"""

_NODES = {
    "sidecar": {
        "NAME": "web-1",
        "SERVICE": "web",
        "APP_PORT": 8001,
        "INBOUND": {"host": "127.0.0.1", "port": 15006},
        "OUTBOUND": {"host": "127.0.0.1", "port": 15001},
        "LABELS": {"app": "web"},
    },
    "router": {"NAME": "gateway-1", "NAMESPACE": "istio-system", "LABELS": {"istio": "ingressgateway"}},
}
_LISTENERS = {OUTBOUND: "http_proxy", INBOUND: "virtualInbound"}

# A case need not wait a second to see a connection closed; spans go to another collector than Envoy's; Envoy passes
# trailers on only when it is asked to.
_TRAILERS = {"enable_trailers": True}
_HCM = {"delayed_close_timeout": "0.1s", "tracing": None, "http_protocol_options": _TRAILERS}
_CLUSTER = {
    "typed_extension_protocol_options": {
        HTTP_PROTOCOL_OPTIONS_KEY: {
            "@type": HTTP_PROTOCOL_OPTIONS,
            "explicit_http_config": {"http_protocol_options": _TRAILERS},
        }
    }
}


def endpoints_of(setup: Setup) -> list[str]:
    """The names of its servers."""
    return [APP] if setup.at == INBOUND else [*(f"shop-{i + 1}" for i in range(setup.endpoints)), "other-1"]


def build_case(number: int, case: Case, ports: Mapping[str, int]) -> list[xds.Resource]:
    """The case's listener, `case-<number>`, and its clusters. `ports` are those of its servers."""
    setup = case.setup
    resources = copy.deepcopy(_translate(setup.at, setup.istio, setup.mesh, setup.endpoints))
    listener = _listener(setup, resources[xds.LISTENER])
    routes = resources[xds.ROUTE]
    listener |= {"name": f"case-{number}", "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}}
    for chain in listener["filter_chains"]:
        for network_filter in chain["filters"]:
            if network_filter["name"] == HTTP_CONNECTION_MANAGER_FILTER:
                _prepare_hcm(network_filter["typed_config"], setup, routes)
    clusters = [_prepare_cluster(item, setup, resources[xds.ENDPOINT], ports) for item in _used(listener, resources)]
    return _renamed([*clusters, listener], [cluster["name"] for cluster in clusters], number)


def original_name(name: str) -> str:
    """A cluster's, without the case's mark."""
    return name.partition("@")[0]


@cache
def _translate(at: str, istio: str, mesh: str, endpoints: int) -> Resources:
    kind = "router" if at == GATEWAY else "sidecar"
    entries = "".join(_ENTRY.format(number=i + 1) for i in range(endpoints))
    edge = _GATEWAY + ("" if istio else _GATEWAY_ROUTE) if at == GATEWAY else _WORKLOAD
    objects = read_manifest(_SERVICES + entries + edge + (f"\n---\n{istio}" if istio else ""), "setup").resources
    node = {"id": f"{kind}~127.0.0.1~a.default~cluster.local", "metadata": _NODES[kind]}
    snapshot = MeshSnapshot.build(objects, decode_mesh_config(yaml.safe_load(mesh) or {}), 1)
    return build(ProxyView(snapshot, msgspec.convert(node, xds.Node)))


def _listener(setup: Setup, listeners: Mapping[str, Json]) -> Json:
    name = _LISTENERS.get(setup.at)
    return listeners[name] if name else next(iter(listeners.values()))


def _prepare_hcm(hcm: Json, setup: Setup, routes: Mapping[str, Json]) -> None:
    if "rds" in hcm:
        hcm["route_config"] = routes[hcm.pop("rds")["route_config_name"]]
        del hcm["route_config"]["@type"]
    _merge(hcm, _HCM)
    _merge(hcm, setup.hcm)
    for host in hcm["route_config"]["virtual_hosts"]:
        _merge(host, setup.virtual_host)
        if setup.routes and host["name"] != "allow_any":
            host["routes"] = copy.deepcopy(list(setup.routes))
        for route in host.get("routes", ()):
            if "route" in route:
                _merge(route["route"], setup.route)


def _used(listener: Json, resources: Resources) -> list[Json]:
    """Its routes' clusters."""
    text = json.dumps(listener)
    return [item for name, item in resources[xds.CLUSTER].items() if json.dumps(name) in text]


def _prepare_cluster(cluster: Json, setup: Setup, assignments: Mapping[str, Json], ports: Mapping[str, int]) -> Json:
    if cluster.get("type") == "EDS":
        del cluster["eds_cluster_config"]
        cluster |= {"type": "STATIC", "load_assignment": assignments[cluster["name"]]}
        cluster["load_assignment"].pop("@type", None)
    for address in _socket_addresses(cluster.get("load_assignment")):
        address |= {"port_value": ports[_endpoint(address["address"])], "address": "127.0.0.1"}
    if "load_assignment" in cluster:
        _merge(cluster, _CLUSTER)
        _merge(cluster, setup.cluster)
    return cluster


def _endpoint(address: str) -> str:
    if address.startswith(_SHOP):
        return f"shop-{address.removeprefix(_SHOP)}"
    return f"other-{address.removeprefix(_OTHER)}" if address.startswith(_OTHER) else APP


def _renamed(resources: list[Json], names: list[str], number: int) -> list[Json]:
    text = json.dumps(resources)
    for name in names:
        text = text.replace(json.dumps(name), json.dumps(f"{name}@{number}"))
    return list(json.loads(text))


def _merge(into: Json, changes: Mapping[str, Any]) -> None:
    """Objects are merged, all else is replaced; None removes."""
    for key, value in changes.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = copy.deepcopy(value)


def _socket_addresses(value: Json) -> Iterator[Json]:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in children:
        yield from _socket_addresses(item)
    if isinstance(value, dict) and "socket_address" in value:
        yield value["socket_address"]
