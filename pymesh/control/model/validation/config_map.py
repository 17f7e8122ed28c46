"""Rules of a ConfigMap. Kubernetes: ValidateConfigMap in pkg/apis/core/validation."""

from pymesh.control.model.core import MESH_CONFIG_MAP, MESH_NETWORKS_KEY, ConfigMap
from pymesh.control.model.mesh_config_decoder import decode_mesh_config_map
from pymesh.control.model.resource import Metadata
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.errors import ValidationError
from pymesh.names import ROOT_NAMESPACE

_LARGEST = 1024 * 1024


def check_config_map(spec: ConfigMap, metadata: Metadata, at: Scope) -> None:
    for field, keys in (("data", spec.data), ("binaryData", spec.binary_data)):
        for key in keys:
            syntax.check_data_key(key, at[field][key])
    for key in spec.data.keys() & spec.binary_data.keys():
        at["binaryData"][key].fail("stands in data, too")
    size = sum(len(text.encode()) for text in spec.data.values()) + sum(map(len, spec.binary_data.values()))
    at["data"].require(size <= _LARGEST, f"must not be larger than {_LARGEST} bytes")
    is_of_istio = (metadata.namespace, metadata.name) == (ROOT_NAMESPACE, MESH_CONFIG_MAP)
    if is_of_istio:
        _check_mesh_config(spec, at)
        if MESH_NETWORKS_KEY in spec.data:
            at["data"][MESH_NETWORKS_KEY].warn("pymesh has one network; this has no effect")


def _check_mesh_config(spec: ConfigMap, at: Scope) -> None:
    try:
        warnings = decode_mesh_config_map(spec).warnings
    except ValidationError as error:
        at.violations.extend(error.violations)
        return
    at.warnings.extend(warnings)
