"""Subsets of a cluster: endpoints with equal metadata, each subset with priorities and balancers of its own. Pure.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/subsets
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from pymesh.proxy.matchers.metadata_match import MetadataMatch, freeze, freeze_match
from pymesh.proxy.upstream.endpoint import Endpoint
from pymesh.proxy.upstream.load_balancer import LoadBalancerContext
from pymesh.proxy.upstream.priority_set import PrioritySet
from pymesh.proxy.upstream.subset_config import (
    ANY_ENDPOINT,
    DEFAULT_SUBSET,
    KEYS_SUBSET,
    NOT_DEFINED,
    SubsetConfig,
    SubsetSelector,
)


class SubsetBalancer:
    """As a PrioritySet for the cluster that has it; counts choices by Envoy's names."""

    def __init__(self, config: SubsetConfig, build_set: Callable[[], PrioritySet]) -> None:
        self.lb_subsets_selected = 0
        self.lb_subsets_fallback = 0
        self._config = config
        self._build_set = build_set
        self._selectors: dict[tuple[str, ...], SubsetSelector] = {}
        for selector in config.selectors:
            self._selectors.setdefault(selector.keys, selector)
        self._subsets: dict[MetadataMatch, PrioritySet] = {}
        self._any = build_set()
        self._default = build_set()
        self._default_match = freeze_match(config.default_subset)

    @property
    def is_panicking(self) -> bool:
        return any(subset.is_panicking for subset in self._subsets.values())

    @property
    def stats(self) -> dict[str, int]:
        """For /clusters."""
        selected, fallback = self.lb_subsets_selected, self.lb_subsets_fallback
        return {
            "lb_subsets_active": self.active_subsets,
            "lb_subsets_selected": selected,
            "lb_subsets_fallback": fallback,
        }

    @property
    def active_subsets(self) -> int:
        return len(self._subsets)

    # the data path

    def choose(self, context: LoadBalancerContext) -> Endpoint | None:
        return self._choose(context, context.metadata_match())

    def _choose(self, context: LoadBalancerContext, match: MetadataMatch) -> Endpoint | None:
        subset = self._subsets.get(match)
        if subset is not None:
            self.lb_subsets_selected += 1
            return subset.choose(context)
        selector = self._selectors.get(tuple(key for key, _ in match))
        if selector is None or selector.fallback == NOT_DEFINED:
            return self._fall_back(context)
        if selector.fallback == KEYS_SUBSET:
            return self._choose(context, tuple(pair for pair in match if pair[0] in selector.fallback_keys))
        return self._choose_of(selector.fallback, context)

    def _fall_back(self, context: LoadBalancerContext) -> Endpoint | None:
        endpoint = self._choose_of(self._config.fallback, context)
        if endpoint is not None:
            self.lb_subsets_fallback += 1
        elif self._config.is_panic_mode_any:
            endpoint = self._any.choose(context)
        return endpoint

    def _choose_of(self, fallback: str, context: LoadBalancerContext) -> Endpoint | None:
        if fallback == ANY_ENDPOINT:
            return self._any.choose(context)
        return self._default.choose(context) if fallback == DEFAULT_SUBSET else None

    # changes

    def update(self, endpoints: Sequence[Endpoint]) -> None:
        """The whole list."""
        members: dict[MetadataMatch, dict[Endpoint, None]] = {}
        for endpoint in endpoints:
            for match in self._matches_of(endpoint.config.lb_metadata):
                members.setdefault(match, {})[endpoint] = None
        self._subsets = {match: self._subsets.get(match) or self._build_set() for match in members}
        for match, subset in self._subsets.items():
            subset.update(members[match])
        self._any.update(endpoints)
        self._default.update(endpoint for endpoint in endpoints if self._is_default(endpoint))

    def refresh(self) -> None:
        for subset in (self._any, self._default, *self._subsets.values()):
            subset.refresh()

    def _matches_of(self, metadata: Mapping[str, Any]) -> Iterator[MetadataMatch]:
        for keys in self._selectors:
            if all(key in metadata for key in keys):
                values = [tuple(self._values(metadata[key])) for key in keys]
                yield from (tuple(zip(keys, choice, strict=True)) for choice in product(*values))

    def _is_default(self, endpoint: Endpoint) -> bool:
        metadata = endpoint.config.lb_metadata
        return all(key in metadata and value in self._values(metadata[key]) for key, value in self._default_match)

    def _values(self, value: Any) -> Iterable[str]:
        return map(freeze, value) if self._config.is_list_as_any and isinstance(value, list) else (freeze(value),)
