"""LoadBalancerConfig: Envoy's lb_policy with its parameters, and the balancer that it stands for."""

from collections.abc import Callable
from dataclasses import dataclass

from pymesh.proxy.upstream.hash_balancer import HashBalancer
from pymesh.proxy.upstream.hash_table import (
    DEFAULT_MAGLEV_TABLE,
    HASH_FUNCTIONS,
    MAXIMUM_RING,
    MINIMUM_RING,
    MaglevTable,
    Ring,
)
from pymesh.proxy.upstream.load_balancer import LeastRequest, LoadBalancer, Random, RandomValue, RoundRobin
from pymesh.proxy.upstream.slow_start import SlowStart, SlowStartConfig
from pymesh.proxy.upstream.subset_config import SubsetConfig

_HASHING = ("RING_HASH", "MAGLEV")


@dataclass(frozen=True, slots=True)
class LoadBalancerConfig:
    """`policy` is Envoy's lb_policy. `is_locality_weighted`: locality_weighted_lb_config stands there."""

    policy: str = "ROUND_ROBIN"
    choice_count: int = 2
    active_request_bias: float = 1.0
    slow_start: SlowStartConfig | None = None
    # RING_HASH and MAGLEV
    minimum_ring_size: int = MINIMUM_RING
    maximum_ring_size: int = MAXIMUM_RING
    hash_function: str = "XX_HASH"
    table_size: int = DEFAULT_MAGLEV_TABLE
    use_hostname_for_hashing: bool = False
    # whatever the policy
    is_locality_weighted: bool = False
    fail_traffic_on_panic: bool = False
    ignore_new_hosts_until_first_hc: bool = False
    subsets: SubsetConfig | None = None

    @property
    def has_locality_weights(self) -> bool:
        return self.is_locality_weighted and (self.subsets is None or self.subsets.is_locality_weight_aware)

    @property
    def follows_hash(self) -> bool:
        return self.policy in _HASHING


def build_load_balancer(
    config: LoadBalancerConfig, random_value: RandomValue, now: Callable[[], float] = float
) -> LoadBalancer:
    """`now` is the clock by which endpoints start slowly."""
    slow_start = None if config.slow_start is None else SlowStart(config.slow_start, now)
    match config.policy:
        case "LEAST_REQUEST":
            return LeastRequest(config.choice_count, config.active_request_bias, random_value, slow_start)
        case "RANDOM":
            return Random(random_value)
        case "RING_HASH" | "MAGLEV":
            return _hash_balancer(config, random_value)
        case _:
            return RoundRobin(random_value, slow_start)


def _hash_balancer(config: LoadBalancerConfig, random_value: RandomValue) -> HashBalancer:
    minimum, maximum = config.minimum_ring_size, config.maximum_ring_size
    function = HASH_FUNCTIONS[config.hash_function]
    return HashBalancer(
        (lambda shares: MaglevTable(shares, config.table_size))
        if config.policy == "MAGLEV"
        else (lambda shares: Ring(shares, minimum, maximum, function)),
        random_value,
        config.use_hostname_for_hashing,
        config.has_locality_weights,
    )
