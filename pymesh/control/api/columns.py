"""The printer columns of each kind, as Istio's CRDs and kubectl define them. Read from the encoded object."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pymesh.control.model import kinds
from pymesh.control.model.conditions import KINDS_WITH_STATUS, summary
from pymesh.control.model.kinds import Kind

_Object = dict[str, Any]

_MOST_SHOWN = 3


class Column(NamedTuple):
    """`is_wide`: only `-o wide` shows it. `read` makes the cell of an object."""

    name: str
    read: Callable[[_Object, datetime], str]
    is_wide: bool = False


def columns_of(kind: Kind) -> tuple[Column, ...]:
    """Name first, then the kind's own; Status last but for what only `-o wide` shows, where Istio has none."""
    own = _COLUMNS.get(kind, (_AGE,))
    if kind in KINDS_WITH_STATUS:
        narrow = sum(not column.is_wide for column in own)
        own = (*own[:narrow], _STATUS, *own[narrow:])
    return (Column("Name", lambda item, now: str(item["metadata"]["name"])), *own)


def human_duration(age: timedelta) -> str:
    """As kubectl writes ages: 45s, 3m20s, 12m, 5h10m, 30h, 3d4h, 40d. apimachinery: HumanDuration."""
    seconds = max(int(age.total_seconds()), 0)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return _two(minutes, "m", seconds % 60, "s")
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    return _two(days, "d", hours % 24, "h") if days < 8 else f"{days}d"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


def _age(item: _Object, now: datetime) -> str:
    created = item["metadata"].get("creationTimestamp")
    return human_duration(now - datetime.fromisoformat(created)) if created else "<unknown>"


def _field(*path: str) -> Callable[[_Object, datetime], str]:
    def read(item: _Object, now: datetime) -> str:
        value: Any = item
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, list | dict):
            return json.dumps(value, separators=(",", ":"))
        return "" if value is None else str(value)

    return read


def _or(read: Callable[[_Object, datetime], str], default: str) -> Callable[[_Object, datetime], str]:
    return lambda item, now: read(item, now) or default


def _pairs(*path: str, separator: str) -> Callable[[_Object, datetime], str]:
    def read(item: _Object, now: datetime) -> str:
        value: Any = item
        for key in path:
            value = value.get(key) or {}
        return ",".join(f"{key}{separator}{one}" for key, one in value.items()) or "<none>"

    return read


def _service_ports(item: _Object, now: datetime) -> str:
    ports = item["spec"].get("ports", [])
    return ",".join(f"{port['port']}/{port.get('protocol', 'TCP')}" for port in ports) or "<none>"


def _health(item: _Object, now: datetime) -> str:
    conditions = item.get("status", {}).get("conditions", [])
    healthy = next((one.get("status") for one in conditions if one.get("type") == "Healthy"), "True")
    return "Healthy" if healthy == "True" else "Unhealthy"


def _count(*fields: str) -> Callable[[_Object, datetime], str]:
    return lambda item, now: str(sum(len(item.get(field) or ()) for field in fields))


def _endpoint_addresses(item: _Object, now: datetime) -> str:
    return _some(
        f"{address['ip']}:{port['port']}" if port else str(address["ip"])
        for subset in item.get("subsets", ())
        for port in subset.get("ports") or (None,)
        for address in subset.get("addresses", ())
    )


def _slice_addresses(item: _Object, now: datetime) -> str:
    return _some(address for endpoint in item.get("endpoints", ()) for address in endpoint.get("addresses", ()))


def _slice_ports(item: _Object, now: datetime) -> str:
    return _some(str(port.get("port", "*")) for port in item.get("ports", ()))


def _some(texts: Iterable[str]) -> str:
    """As kubectl, which leaves the rest to `-o yaml`."""
    found = list(texts)
    more = f" + {len(found) - _MOST_SHOWN} more..." if len(found) > _MOST_SHOWN else ""
    return ",".join(found[:_MOST_SHOWN]) + more if found else "<none>"


_AGE = Column("Age", _age)
_STATUS = Column("Status", lambda item, now: summary(item.get("status") or {}))
_HOSTS = Column("Hosts", _field("spec", "hosts"))

_COLUMNS: dict[Kind, tuple[Column, ...]] = {
    kinds.VIRTUAL_SERVICE: (Column("Gateways", _field("spec", "gateways")), _HOSTS, _AGE),
    kinds.DESTINATION_RULE: (Column("Host", _field("spec", "host")), _AGE),
    kinds.GATEWAY: (_AGE, Column("Selector", _pairs("spec", "selector", separator="="), is_wide=True)),
    kinds.SERVICE_ENTRY: (
        _HOSTS,
        Column("Location", _or(_field("spec", "location"), "MESH_EXTERNAL")),
        Column("Resolution", _or(_field("spec", "resolution"), "NONE")),
        _AGE,
    ),
    kinds.WORKLOAD_ENTRY: (
        _AGE,
        Column("Address", _field("spec", "address")),
        Column("Ports", _pairs("spec", "ports", separator=":"), is_wide=True),
        Column("Health", _health, is_wide=True),
        Column("Service-Account", _or(_field("spec", "serviceAccount"), "default"), is_wide=True),
        Column("Labels", _pairs("spec", "labels", separator="="), is_wide=True),
    ),
    kinds.PEER_AUTHENTICATION: (Column("Mode", _field("spec", "mtls", "mode")), _AGE),
    kinds.SERVICE: (
        Column("Type", _or(_field("spec", "type"), "ClusterIP")),
        Column("Cluster-IP", _or(_field("spec", "clusterIP"), "<none>")),
        Column("External-IP", lambda item, now: _some(item["spec"].get("externalIPs", ()))),
        Column("Port(s)", _service_ports),
        _AGE,
        Column("Selector", _pairs("spec", "selector", separator="="), is_wide=True),
    ),
    kinds.WORKLOAD_GROUP: (_AGE,),
    kinds.SIDECAR: (_AGE,),
    kinds.PROXY_CONFIG: (_AGE,),
    kinds.ENVOY_FILTER: (_AGE,),
    kinds.REQUEST_AUTHENTICATION: (_AGE,),
    kinds.AUTHORIZATION_POLICY: (Column("Action", _or(_field("spec", "action"), "ALLOW")), _AGE),
    kinds.TELEMETRY: (_AGE,),
    kinds.WASM_PLUGIN: (_AGE,),
    kinds.ENDPOINTS: (Column("Endpoints", _endpoint_addresses), _AGE),
    kinds.ENDPOINT_SLICE: (
        Column("AddressType", _field("addressType")),
        Column("Ports", _slice_ports),
        Column("Endpoints", _slice_addresses),
        _AGE,
    ),
    kinds.CONFIG_MAP: (Column("Data", _count("data", "binaryData")), _AGE),
    kinds.NAMESPACE: (Column("Status", lambda item, now: "Active"), _AGE),
    kinds.SERVICE_ACCOUNT: (Column("Secrets", _count("secrets")), _AGE),
    kinds.SECRET: (Column("Type", _or(_field("type"), "Opaque")), Column("Data", _count("data")), _AGE),
}


def utc_now() -> datetime:
    return datetime.now(UTC)
