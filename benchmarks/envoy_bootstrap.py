"""The xDS resources of a pymesh proxy as a static bootstrap for Envoy: the same configuration, at other ports."""

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pymesh import xds
from pymesh.proxy.telemetry.access_log_format import ISTIO_TEXT_FORMAT

Json = Any

_COLLECTOR = "collector"


class Setup(NamedTuple):
    """What Envoy needs besides the resources.

    Only `listener` is taken, and listens on `port`. `moved` says which endpoint ports are other ones for Envoy.
    `certificate` holds key and chain, `root` what the peer's certificate must lead to. Spans go to
    127.0.0.1:`collector_port`.
    """

    listener: str
    port: int
    certificate: Path
    root: Path
    collector_port: int
    moved: Mapping[int, int] = {}
    access_log: Path | None = None


def build_bootstrap(resources: list[xds.Resource], setup: Setup) -> Json:
    by_type = _by_type(copy.deepcopy(resources))
    chosen = by_type[xds.LISTENER][setup.listener]
    chosen["address"]["socket_address"] |= {"address": "127.0.0.1", "port_value": setup.port}
    for manager in _connection_managers(chosen):
        _add_telemetry(manager, setup)
    clusters = [_cluster(cluster, by_type, setup.moved) for cluster in by_type[xds.CLUSTER].values()]
    static = {
        "listeners": [_inlined(chosen, by_type)],
        "clusters": [*clusters, _collector(setup.collector_port)],
        "secrets": _secrets(setup.certificate, setup.root),
    }
    _strip_types(static)
    return {"node": {"id": "compare", "cluster": "compare"}, "static_resources": static}


def _by_type(resources: list[xds.Resource]) -> dict[str, dict[str, Json]]:
    found: dict[str, dict[str, Json]] = {type_url: {} for type_url in xds.TYPES}
    for resource in resources:
        found[xds.type_url_of(resource)][xds.resource_name(resource)] = resource
    return found


def _add_telemetry(manager: Json, setup: Setup) -> None:
    """The resources say how many requests are traced, and no more: where spans and log go is a flag of pymesh's."""
    uri = {"uri": f"http://127.0.0.1:{setup.collector_port}/v1/traces", "cluster": _COLLECTOR, "timeout": "1s"}
    tracer = {"http_service": {"http_uri": uri}, "service_name": setup.listener}
    kind = "envoy.config.trace.v3.OpenTelemetryConfig"
    manager["tracing"]["provider"] = _extension("envoy.tracers.opentelemetry", kind, tracer)
    if setup.access_log is not None:
        line = {"text_format_source": {"inline_string": f"{ISTIO_TEXT_FORMAT}\n"}}
        log = {"path": str(setup.access_log), "log_format": line}
        kind = "envoy.extensions.access_loggers.file.v3.FileAccessLog"
        manager["access_log"] = [_extension("envoy.access_loggers.file", kind, log)]


def _extension(name: str, kind: str, config: Json) -> Json:
    return {"name": name, "typed_config": {"@type": f"type.googleapis.com/{kind}", **config}}


def _collector(port: int) -> Json:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    return {
        "name": _COLLECTOR,
        "type": "STATIC",
        "load_assignment": {"cluster_name": _COLLECTOR, "endpoints": endpoints},
    }


def _cluster(cluster: Json, by_type: Mapping[str, Mapping[str, Json]], moved: Mapping[int, int]) -> Json:
    if cluster.get("type") == "EDS":
        del cluster["eds_cluster_config"]
        cluster |= {"type": "STATIC", "load_assignment": by_type[xds.ENDPOINT][cluster["name"]]}
    for address in _socket_addresses(cluster.get("load_assignment")):
        address["port_value"] = moved.get(address["port_value"], address["port_value"])
    return _inlined(cluster, by_type)


def _inlined(value: Json, by_type: Mapping[str, Mapping[str, Json]]) -> Json:
    """Routes in place of their RDS name; secrets by name, from the bootstrap."""
    if isinstance(value, list):
        return [_inlined(item, by_type) for item in value]
    if not isinstance(value, dict):
        return value
    if "sds_config" in value:
        return {"name": value["name"]}
    if "rds" in value:
        value["route_config"] = by_type[xds.ROUTE][value.pop("rds")["route_config_name"]]
    return {key: _inlined(item, by_type) for key, item in value.items()}


def _secrets(certificate: Path, root: Path) -> list[Json]:
    file = {"filename": str(certificate)}
    return [
        {"name": "default", "tls_certificate": {"certificate_chain": file, "private_key": file}},
        {"name": "ROOTCA", "validation_context": {"trusted_ca": {"filename": str(root)}}},
    ]


def _strip_types(static: Mapping[str, list[Json]]) -> None:
    """In a bootstrap, resources and what stands inline in them are no Any."""
    for resources in static.values():
        for resource in resources:
            resource.pop("@type", None)
            for inner in (resource.get("load_assignment"), *_route_configs(resource)):
                if inner is not None:
                    inner.pop("@type", None)


def _connection_managers(listener: Json) -> Iterator[Json]:
    for chain in listener["filter_chains"]:
        for network_filter in chain["filters"]:
            if "tracing" in network_filter["typed_config"]:
                yield network_filter["typed_config"]


def _route_configs(value: Json) -> Iterator[Json]:
    for item in _children(value):
        yield from _route_configs(item)
    if isinstance(value, dict) and "route_config" in value:
        yield value["route_config"]


def _socket_addresses(value: Json) -> Iterator[Json]:
    for item in _children(value):
        yield from _socket_addresses(item)
    if isinstance(value, dict) and "socket_address" in value:
        yield value["socket_address"]


def _children(value: Json) -> list[Json]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
