"""Whatever validation accepts, translation translates, and our proxy takes without leaving a field unread.

A resource that a proxy rejects costs it every other change of that type, so nothing may get as far as that.
"""

import copy
import re
import types
import typing
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pymesh import xds
from pymesh.control.model.kinds import DESTINATION_RULE, GATEWAY, SERVICE_ENTRY, VIRTUAL_SERVICE, Kind
from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.model.messages import Message
from pymesh.control.model.not_implemented import NOT_IMPLEMENTED
from pymesh.control.model.serializer import decode
from pymesh.control.snapshot.mesh_snapshot import MeshSnapshot
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.build import build
from pymesh.errors import ValidationError
from pymesh.protojson import Reader
from pymesh.proxy.http_filters.factories import per_filter_decoders
from pymesh.proxy.xds.cds import decode_cluster
from pymesh.proxy.xds.eds import decode_cluster_load_assignment
from pymesh.proxy.xds.lds import decode_listener
from pymesh.proxy.xds.rds import decode_route_configuration

_FILTERS = per_filter_decoders()
_DECODERS = {
    xds.CLUSTER: decode_cluster,
    xds.ENDPOINT: decode_cluster_load_assignment,
    xds.ROUTE: lambda reader: decode_route_configuration(reader, _FILTERS),
    xds.LISTENER: lambda reader: decode_listener(reader, _FILTERS),
}

_HOSTS = st.sampled_from(["db", "a.example.com", "*.example.com", "db.ns.svc.cluster.local", "10.0.0.1"])
_DURATIONS = st.sampled_from(["", "0s", "1ms", "1.5s", "1h1m", "2562047h"])
_WORDS = st.sampled_from(
    ["", "*", "/", "/a", "a", "a b", "x-a", "%", "%%", "%REQ(x)%", "\\1", "(a)|b", "a+", ":path", "é"]
)
# Fields whose values no word of _WORDS fits; the key is the end of the field's name.
_SPECIAL: dict[str, st.SearchStrategy[Any]] = {
    "host": _HOSTS,
    "hosts": st.lists(_HOSTS, min_size=1, max_size=2),
    "retryOn": st.sampled_from(["", "5xx", "503,reset", "retriable-4xx, http3-post-connect-failure"]),
    "protocol": st.sampled_from(["HTTP", "HTTPS", "TCP", "TLS", "GRPC", "REDIS"]),
    "gateways": st.just(["mesh", "gw"]),
    "gatewayPort": st.sampled_from([80, 443, 9000]),
    "number": st.sampled_from([80, 5432, 65535]),
    "redirectCode": st.sampled_from([0, 302, 308]),
    "status": st.sampled_from([200, 404, 599]),
    "httpStatus": st.sampled_from([200, 503]),
    "grpcStatus": st.sampled_from(["OK", "unavailable"]),
    "subset": st.sampled_from(["", "v1"]),
    "bytes": st.sampled_from(["", "YQ=="]),
    "address": st.sampled_from(["10.0.0.9", "2001:db8::1", "db.example.com"]),
    "addresses": st.sampled_from([[], ["10.0.0.9"], ["10.0.0.0/8"], ["2001:db8::1"]]),
    "locality": st.sampled_from(["", "r", "r/z/s"]),
    "exportTo": st.sampled_from([[], ["*"], ["."]]),
    "subjectAltNames": st.sampled_from([[], ["a.example.com"], ["spiffe://cluster.local/ns/a/sa/b"]]),
    "tableSize": st.sampled_from([0, 2, 65537]),
    "sni": st.sampled_from(["", "a.example.com"]),
    "scheme": st.sampled_from(["", "https"]),
}
_DURATION_NAMES = ("timeout", "perTryTimeout", "backoff", "fixedDelay", "ttl", "interval", "time", "connectTimeout")
_DURATION_NAMES += ("idleTimeout", "maxConnectionDuration", "baseEjectionTime")


def _message(message_type: type[Message], path: str, refused: frozenset[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Any of its fields, but those that are not implemented."""
    fields = {}
    for field in msgspec.structs.fields(message_type):
        place = f"{path}.{field.encode_name}".lstrip(".")
        if place not in refused:
            fields[field.encode_name] = _value(field.encode_name, field.type, place, refused)
    return st.deferred(lambda: st.fixed_dictionaries({}, optional=fields))


def _value(name: str, kind: Any, path: str, refused: frozenset[str]) -> st.SearchStrategy[Any]:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(kind, type) and issubclass(kind, Message):
        return _message(kind, path, refused)
    if (
        name in _SPECIAL
        and origin not in (Literal,)
        and kind in (str, int, bytes, str | None, int | None, bytes | None)
    ):
        return _SPECIAL[name]
    if origin is tuple:
        if name in _SPECIAL:
            return _SPECIAL[name]
        return st.lists(_value(name, arguments[0], f"{path}[]", refused), max_size=2)
    if origin is dict:
        return st.dictionaries(st.sampled_from(["x-a", "X-B", "host", "v"]), _value(name, arguments[1], path, refused))
    if origin is types.UnionType:
        return _value(name, next(one for one in arguments if one is not types.NoneType), path, refused)
    return _scalar(name, kind, arguments if origin is Literal else ())


def _scalar(name: str, kind: Any, choices: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if choices:
        return st.sampled_from(choices)
    if kind is bool:
        return st.booleans()
    if kind is float:
        return st.sampled_from([0, 0.0001, 12.5, 100])
    if kind is int:
        return st.sampled_from([0, 1, 80, 100, 2**31 - 1])
    return _DURATIONS if name in _DURATION_NAMES else _WORDS


_STEP = re.compile(r'\["([^"]*)"\]|\[(\d+)\]|\.?([A-Za-z0-9_-]+)')
_SERVERS = [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}]
_ROUTED = [{"route": [{"destination": {"host": "db"}}]}]
_BASE: dict[str, dict[str, Any]] = {
    "VirtualService": {"hosts": ["db"], "http": _ROUTED},
    "DestinationRule": {"host": "db"},
    "Gateway": {"servers": _SERVERS},
    "ServiceEntry": {"hosts": ["db"], "ports": [{"number": 80, "name": "http"}]},
}
_COMPANIONS = (
    {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "gw"},
        "spec": {"servers": _SERVERS},
    },
    {
        "apiVersion": "networking.istio.io/v1",
        "kind": "ServiceEntry",
        "metadata": {"name": "db"},
        "spec": {
            "hosts": ["db.default.svc.cluster.local"],
            "ports": [
                {"number": 80, "name": "http", "protocol": "HTTP"},
                {"number": 5432, "name": "tcp", "protocol": "TCP"},
            ],
            "resolution": "STATIC",
            "endpoints": [{"address": "10.0.0.1", "labels": {"v": "1"}}],
        },
    },
    {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "zz"},
        "spec": {"hosts": ["db"], "gateways": ["x"], "http": _ROUTED, "tcp": _ROUTED},
    },
)


def _valid(kind: Kind, spec: dict[str, Any]) -> Any:
    """The resource of what of `spec` is valid: each field that validation names is left out."""
    spec = _BASE[kind.name] | spec
    document = {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": {"name": "x"},
        "spec": copy.deepcopy(spec),
    }
    for _ in range(100):
        try:
            return decode(document)
        except ValidationError as error:
            for violation in error.violations:
                _remove(document, *violation)
            document["spec"] = copy.deepcopy(_BASE[kind.name]) | document.get("spec", {})
    return None


def _remove(document: dict[str, Any], path: str, message: str) -> None:
    """What stands at the path, or of several fields there the last that the message names; where nothing is, what is
    around it."""
    steps = [key or name or int(number) for key, number, name in _STEP.findall(path)]
    found = _at(document, steps)
    named = [key for key in found if re.search(rf"\b{key}\b", message)] if isinstance(found, dict) else []
    if named:
        del found[named[-1]]
        return
    while len(steps) > 1 and _at(document, steps) is None:
        steps.pop()
    if len(steps) > 1:
        del _at(document, steps[:-1])[steps[-1]]
    else:
        document["spec"] = {}


def _at(value: Any, steps: list[str | int]) -> Any:
    for step in steps:
        value = _child(value, step)
    return value


def _child(parent: Any, step: str | int) -> Any:
    if isinstance(parent, list):
        return parent[step] if isinstance(step, int) and step < len(parent) else None
    return parent.get(step) if isinstance(parent, dict) else None


def _refused(kind: Kind) -> frozenset[str]:
    return frozenset(one.path for one in NOT_IMPLEMENTED[kind.name] if not one.values and not one.prefix)


def _views(resources: list[Any]) -> list[ProxyView]:
    snapshot = MeshSnapshot.build(resources, MeshConfig(), 1)
    labels = {"security.istio.io/tlsMode": "istio"}
    upstream = xds.Upstream(15432, "db", 5432)
    sidecar = xds.NodeMetadata(labels=labels, app_port=8080, inbound=xds.Address("0.0.0.0", 1), upstreams=(upstream,))
    gateway = xds.NodeMetadata(labels=labels)
    ids = {"sidecar~1.2.3.4~web.default~d": sidecar, "router~1.2.3.4~gw.default~d": gateway}
    return [ProxyView(snapshot, xds.Node(id=name, metadata=metadata)) for name, metadata in ids.items()]


@pytest.mark.parametrize(
    "kind", [VIRTUAL_SERVICE, DESTINATION_RULE, GATEWAY, SERVICE_ENTRY], ids=lambda kind: kind.name
)
@settings(max_examples=100, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_is_valid_is_translated_and_taken_whole(kind, data):
    resource = _valid(kind, data.draw(_message(kind.spec_type, "", _refused(kind))))
    assert resource is not None
    for view in _views([resource, *map(decode, _COMPANIONS)]):
        for type_url, resources in build(view).items():
            for item in resources.values() if type_url in _DECODERS else ():
                reader = Reader(item)
                _DECODERS[type_url](reader)
                reader.reject_unread()
