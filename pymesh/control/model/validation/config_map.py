"""Rules of a ConfigMap. Kubernetes: ValidateConfigMap in pkg/apis/core/validation."""

from pymesh.control.model.core import ConfigMap
from pymesh.control.model.resource import Metadata
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax

_LARGEST = 1024 * 1024


def check_config_map(spec: ConfigMap, metadata: Metadata, at: Scope) -> None:
    for field, keys in (("data", spec.data), ("binaryData", spec.binary_data)):
        for key in keys:
            syntax.check_data_key(key, at[field][key])
    for key in spec.data.keys() & spec.binary_data.keys():
        at["binaryData"][key].fail("stands in data, too")
    size = sum(len(text.encode()) for text in spec.data.values()) + sum(map(len, spec.binary_data.values()))
    at["data"].require(size <= _LARGEST, f"must not be larger than {_LARGEST} bytes")
