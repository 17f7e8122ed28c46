"""Who of a Cluster's endpoints is chosen: lb_policy and its parameters, common_lb_config, subsets. Pure."""

from dataclasses import replace

from pymesh.durations import read_positive_seconds
from pymesh.protojson import Reader
from pymesh.proxy.upstream.hash_table import HASH_FUNCTIONS
from pymesh.proxy.upstream.lb_policy import LoadBalancerConfig
from pymesh.proxy.upstream.priority_load import PANIC_THRESHOLD
from pymesh.proxy.upstream.slow_start import SlowStartConfig
from pymesh.proxy.upstream.subset_config import NO_FALLBACK, NOT_DEFINED, SubsetConfig, SubsetSelector

_LB_POLICIES = ("ROUND_ROBIN", "LEAST_REQUEST", "RING_HASH", "RANDOM", "MAGLEV", "CLUSTER_PROVIDED")
_MOST_RING_POINTS = 8 * 1024 * 1024
_MOST_TABLE_SLOTS = 5_000_011  # Envoy's limit of a Maglev table

_FALLBACKS = (NO_FALLBACK, "ANY_ENDPOINT", "DEFAULT_SUBSET")
_SELECTOR_FALLBACKS = (NOT_DEFINED, *_FALLBACKS, "KEYS_SUBSET")


def decode_load_balancer(reader: Reader) -> tuple[LoadBalancerConfig, float]:
    """And the panic threshold in percent."""
    config = LoadBalancerConfig(
        policy=reader.enum("lb_policy", _LB_POLICIES), subsets=_decode_subsets(reader.object("lb_subset_config"))
    )
    if config.subsets is not None and config.policy == "CLUSTER_PROVIDED":
        # Envoy: "LB policy CLUSTER_PROVIDED cannot be combined with lb_subset_config"
        reader.fail("lb_subset_config", "cannot stand beside CLUSTER_PROVIDED")
    config = _with_policy(config, reader)
    common = reader.object("common_lb_config")
    return (config, PANIC_THRESHOLD) if common is None else _with_common(config, common)


def _with_policy(config: LoadBalancerConfig, reader: Reader) -> LoadBalancerConfig:
    """The parameters of a policy that the cluster does not have are read and change nothing, as in Envoy."""
    round_robin, least = reader.object("round_robin_lb_config"), reader.object("least_request_lb_config")
    ring, maglev = reader.object("ring_hash_lb_config"), reader.object("maglev_lb_config")
    if round_robin is not None and (slow_start := _decode_slow_start(round_robin)) and config.policy == "ROUND_ROBIN":
        config = replace(config, slow_start=slow_start)
    if least is not None:
        config = _with_least_request(config, least)
    if ring is not None:
        config = _with_ring(config, ring)
    return config if maglev is None else _with_maglev(config, maglev)


def _with_least_request(config: LoadBalancerConfig, least: Reader) -> LoadBalancerConfig:
    slow_start = _decode_slow_start(least)
    choice_count = least.integer("choice_count", 2)
    # LeastRequestLbConfig.choice_count: "uint32 {gte: 2}"
    if choice_count < 2:
        least.fail("choice_count", "must be at least 2")
    if config.policy == "LEAST_REQUEST":
        config = replace(config, slow_start=slow_start)
    return replace(config, choice_count=choice_count, active_request_bias=_runtime_number(least, "active_request_bias"))


def _runtime_number(reader: Reader, key: str) -> float:
    """core.v3.RuntimeDouble; 1 where there is none."""
    value = reader.object(key)
    if value is None:
        return 1.0
    value.ignore("runtime_key")
    number = value.number("default_value")
    return number if number >= 0 else value.fail("default_value", "must not be negative")


def _decode_slow_start(reader: Reader) -> SlowStartConfig | None:
    found = reader.object("slow_start_config")
    if found is None:
        return None
    aggression = _runtime_number(found, "aggression")
    # SlowStartConfig.aggression: "By tuning the parameter it is possible to achieve polynomial or exponential shape";
    # "value should be greater than 0.0".
    if aggression <= 0:
        found.fail("aggression", "must be above 0")
    default = SlowStartConfig(0.0)
    percent = found.percent("min_weight_percent")
    if percent is not None and not 0 <= percent <= 100:
        found.fail("min_weight_percent", "must be 0..100")
    window = read_positive_seconds(found, "slow_start_window", 0.0)
    return SlowStartConfig(window, aggression, default.min_weight_percent if percent is None else percent)


def _with_ring(config: LoadBalancerConfig, ring: Reader) -> LoadBalancerConfig:
    config = replace(
        config,
        minimum_ring_size=ring.integer("minimum_ring_size", config.minimum_ring_size),
        maximum_ring_size=ring.integer("maximum_ring_size", config.maximum_ring_size),
        hash_function=ring.enum("hash_function", tuple(HASH_FUNCTIONS)),
    )
    if not 0 < config.minimum_ring_size <= config.maximum_ring_size <= _MOST_RING_POINTS:
        ring.fail("minimum_ring_size", f"must be 1..maximum_ring_size, and that up to {_MOST_RING_POINTS}")
    return config


def _with_maglev(config: LoadBalancerConfig, maglev: Reader) -> LoadBalancerConfig:
    size = maglev.integer("table_size", config.table_size)
    if not 1 < size <= _MOST_TABLE_SLOTS or not _is_prime(size):
        # "The table size must be prime number limited to 5000011."
        maglev.fail("table_size", f"must be a prime number up to {_MOST_TABLE_SLOTS}")
    return replace(config, table_size=size)


def _is_prime(number: int) -> bool:
    return all(number % divisor for divisor in range(2, int(number**0.5) + 1))


# common_lb_config


def _with_common(config: LoadBalancerConfig, common: Reader) -> tuple[LoadBalancerConfig, float]:
    common.ignore(
        "update_merge_window",  # changes come merged from the control plane
        "close_connections_on_host_set_change",  # of connections by source, which there are none of
    )
    kind = common.oneof("zone_aware_lb_config", "locality_weighted_lb_config")
    common.object("locality_weighted_lb_config")  # it has no fields
    zone_aware = common.object("zone_aware_lb_config")
    if zone_aware is not None:
        # Envoy routes by zones only where it knows its own cluster (local_cluster_name), which nobody can tell us.
        zone_aware.ignore("routing_enabled", "min_cluster_size")
    hashing = common.object("consistent_hashing_lb_config")
    config = replace(
        config,
        is_locality_weighted=kind == "locality_weighted_lb_config",
        fail_traffic_on_panic=zone_aware is not None and zone_aware.boolean("fail_traffic_on_panic"),
        ignore_new_hosts_until_first_hc=common.boolean("ignore_new_hosts_until_first_hc"),
        use_hostname_for_hashing=hashing is not None and hashing.boolean("use_hostname_for_hashing"),
    )
    return config, _decode_panic_threshold(common)


def _decode_panic_threshold(common: Reader) -> float:
    threshold = common.percent("healthy_panic_threshold")
    if threshold is not None and not 0 <= threshold <= 100:
        common.fail("healthy_panic_threshold", "must be 0..100")
    return PANIC_THRESHOLD if threshold is None else threshold


# subsets


def _decode_subsets(subsets: Reader | None) -> SubsetConfig | None:
    """https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/cluster/v3/cluster.proto (LbSubsetConfig)"""
    if subsets is None:
        return None
    selectors = tuple(_decode_selector(selector) for selector in subsets.objects("subset_selectors"))
    subsets.enum("metadata_fallback_policy", ("METADATA_NO_FALLBACK",))
    if subsets.boolean("scale_locality_weight"):
        subsets.fail("scale_locality_weight", "this proxy cannot scale the weights of localities")
    config = SubsetConfig(
        selectors=selectors,
        fallback=subsets.enum("fallback_policy", _FALLBACKS),
        default_subset=subsets.map("default_subset"),
        is_panic_mode_any=subsets.boolean("panic_mode_any"),
        is_locality_weight_aware=subsets.boolean("locality_weight_aware"),
        is_list_as_any=subsets.boolean("list_as_any"),
    )
    # Envoy: isEnabled() is "there are selectors".
    return config if selectors else None


def _decode_selector(reader: Reader) -> SubsetSelector:
    keys = tuple(sorted(set(reader.strings("keys"))))
    if not keys:
        reader.fail("keys", "is required")
    if reader.boolean("single_host_per_subset"):
        reader.fail("single_host_per_subset", "this proxy has only subsets of any size")
    fallback = reader.enum("fallback_policy", _SELECTOR_FALLBACKS)
    fallback_keys = tuple(sorted(set(reader.strings("fallback_keys_subset"))))
    # Envoy: fallback_keys_subset must be a non-empty real subset of the keys, and stand only beside KEYS_SUBSET.
    if (fallback == "KEYS_SUBSET") != bool(fallback_keys) or not set(fallback_keys) < set(keys):
        reader.fail("fallback_keys_subset", "must be some of the keys, for KEYS_SUBSET alone")
    return SubsetSelector(keys, fallback, fallback_keys)
