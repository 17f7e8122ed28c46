"""What a spec says is read by the control plane or refused: a field that nothing behind the model names is neither."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec
import pytest

import pymesh.control
from pymesh.control.model.kinds import KINDS
from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.model.messages import Message
from pymesh.control.model.not_implemented import NOT_IMPLEMENTED

_CONTROL = Path(pymesh.control.__file__).parent
# They have no effect and say so: stored with a warning, or of Kubernetes and not of the mesh.
_STORED = ("EnvoyFilter", "WasmPlugin", "ConfigMap", "Namespace", "ServiceAccount")
_OF_KUBERNETES = re.compile(
    r"(allocateLoadBalancerNodePorts|external(IPs|TrafficPolicy)|healthCheckNodePort|internalTrafficPolicy|ipFamil.*"
    r"|loadBalancer.*|session.*|ports\[\]\.nodePort)"
    r"|.*\.(nodeName|targetRef|deprecatedTopology|hints.*|conditions\.(serving|terminating))|addressType"
)
# What was decoded into another field, or is told of by a warning, or is what proxies do anyway.
_SPENT = (
    "stringData",
    "http[].websocketUpgrade",
    "defaultConfig.proxyHeaders.metadataExchangeHeaders",
    "inboundTrafficPolicy",
    "enableTracing",
    "defaultConfig.holdApplicationUntilProxyStarts",
    "meshMTLS.ecdhCurves",
    "concurrency",
)


def names_in_code() -> set[str]:
    files = (path for path in _CONTROL.rglob("*.py") if "model" not in path.relative_to(_CONTROL).parts)
    code = "".join(path.read_text() for path in files)
    names = set(re.findall(r"\.([a-z_0-9]+)\b", code)) | set(re.findall(r'"([a-z_0-9]+)"', code))
    return names | {f"not_{name}" for name in names}  # an AuthorizationPolicy's, read by getattr


def fields_of(kind: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The path and the name of each field in a message, or in what a list or a map has of messages."""
    if isinstance(kind, type) and issubclass(kind, Message):
        for field in msgspec.structs.fields(kind):
            here = f"{path}.{field.encode_name}" if path else field.encode_name
            yield here, field.name
            yield from fields_of(field.type, here)
    for argument in get_args(kind):
        yield from fields_of(argument, f"{path}[]" if get_origin(kind) is tuple else path)


def is_refused(path: str, refused: list[str]) -> bool:
    """It is, or what it is in, or what is in it."""
    return any(f"{path}.".startswith(f"{one}.") or f"{one}.".startswith(f"{path}.") for one in refused) or any(
        path.startswith(f"{one}[") for one in refused
    )


def kinds_in_force() -> list[str]:
    return [kind for kind in NOT_IMPLEMENTED if kind not in _STORED]


@pytest.mark.parametrize("kind", kinds_in_force())
def test_a_field_is_read_or_refused(kind: str) -> None:
    spec_type = next((one.spec_type for one in KINDS if one.name == kind), MeshConfig)
    refused = [one.path for one in NOT_IMPLEMENTED[kind]]
    known = names_in_code()
    ignored = {path for path, name in fields_of(spec_type) if name not in known and not is_refused(path, refused)}
    assert sorted(path for path in ignored if not _OF_KUBERNETES.fullmatch(path) and path not in _SPENT) == []
