"""Cluster.LbSubsetConfig, decoded.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/subsets
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NO_FALLBACK = "NO_FALLBACK"
ANY_ENDPOINT = "ANY_ENDPOINT"
DEFAULT_SUBSET = "DEFAULT_SUBSET"
KEYS_SUBSET = "KEYS_SUBSET"
NOT_DEFINED = "NOT_DEFINED"


@dataclass(frozen=True, slots=True)
class SubsetSelector:
    """`keys` are sorted. `fallback` NOT_DEFINED: the cluster's."""

    keys: tuple[str, ...]
    fallback: str = NOT_DEFINED
    fallback_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SubsetConfig:
    selectors: tuple[SubsetSelector, ...]
    fallback: str = NO_FALLBACK
    default_subset: Mapping[str, Any] = field(default_factory=dict)
    is_panic_mode_any: bool = False
    is_locality_weight_aware: bool = False
    is_list_as_any: bool = False
