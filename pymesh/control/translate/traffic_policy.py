"""Which policy of a DestinationRule holds for a port and a subset. Pure; nothing is emitted here."""

from msgspec.structs import replace

from pymesh.control.model.destination_rule import (
    ConsistentHashLB,
    LoadBalancerSettings,
    PortTrafficPolicy,
    TrafficPolicy,
)
from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.snapshot.destination_rules import MergedDestinationRule

NO_POLICY = TrafficPolicy()


def effective_policy(rule: MergedDestinationRule | None, port: int, subset: str = "") -> TrafficPolicy:
    """The policy of one cluster, without port-level settings. A subset that does not exist has the rule's own.

    A subset overrides the rule block by block. A port-level setting replaces everything above it, and what it leaves
    out has the mesh's defaults. Istio: MergeTrafficPolicy in pilot/pkg/networking/util.
    """
    if rule is None:
        return NO_POLICY
    policy = _at_port(rule.traffic_policy or NO_POLICY, port)
    found = rule.subset(subset) if subset else None
    if found is None or found.traffic_policy is None:
        return policy
    own = found.traffic_policy
    return _port_level(own, port) or TrafficPolicy(
        load_balancer=own.load_balancer or policy.load_balancer,
        connection_pool=own.connection_pool or policy.connection_pool,
        outlier_detection=own.outlier_detection or policy.outlier_detection,
        tls=own.tls or policy.tls,
        retry_budget=own.retry_budget or policy.retry_budget,
    )


def with_mesh_defaults(policy: TrafficPolicy, mesh: MeshConfig) -> TrafficPolicy:
    """The connection pool and the outlier detection, each whole, that MeshConfig has for where no rule has one."""
    defaults = mesh.default_traffic_policy
    if defaults is None:
        return policy
    return replace(
        policy,
        connection_pool=policy.connection_pool or defaults.connection_pool,
        outlier_detection=policy.outlier_detection or defaults.outlier_detection,
    )


def consistent_hash(rule: MergedDestinationRule | None, port: int | None, subset: str) -> ConsistentHashLB | None:
    """What routes to a destination hash. `port` is None where the destination does not name one: port-level settings
    then do not apply. Subset's port, subset, rule's port, rule: the first that has a load balancer decides.
    """
    if rule is None:
        return None
    found = rule.subset(subset) if subset else None
    policies = (found.traffic_policy if found is not None else None, rule.traffic_policy)
    for policy in policies:
        balancer = _balancer(policy, port)
        if balancer is not None:
            return balancer.consistent_hash
    return None


def _balancer(policy: TrafficPolicy | None, port: int | None) -> LoadBalancerSettings | None:
    if policy is None:
        return None
    setting = _port_setting(policy, port) if port is not None else None
    return setting.load_balancer if setting is not None else policy.load_balancer


def _at_port(policy: TrafficPolicy, port: int) -> TrafficPolicy:
    return _port_level(policy, port) or policy


def _port_level(policy: TrafficPolicy, port: int) -> TrafficPolicy | None:
    setting = _port_setting(policy, port)
    if setting is None:
        return None
    return TrafficPolicy(
        load_balancer=setting.load_balancer,
        connection_pool=setting.connection_pool,
        outlier_detection=setting.outlier_detection,
        tls=setting.tls,
        retry_budget=policy.retry_budget,  # a port has none of its own
    )


def _port_setting(policy: TrafficPolicy, port: int) -> PortTrafficPolicy | None:
    return next(
        (item for item in policy.port_level_settings if item.port is not None and item.port.number == port), None
    )
