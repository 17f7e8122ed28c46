"""Rules of a DestinationRule and its traffic policies. Istio: ValidateDestinationRule in pkg/config/validation."""

from pymesh.control.model.destination_rule import (
    DestinationRule,
    PortTrafficPolicy,
    TrafficPolicy,
    TunnelSettings,
)
from pymesh.control.model.resource import Metadata
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.control.model.validation.client_tls import check_client_tls
from pymesh.control.model.validation.connection_pool import check_connection_pool
from pymesh.control.model.validation.load_balancer import check_load_balancer
from pymesh.control.model.validation.outlier_detection import check_outlier_detection
from pymesh.control.model.validation.selector import check_selector


def check_destination_rule(spec: DestinationRule, metadata: Metadata, at: Scope) -> None:
    syntax.check_host(spec.host, at["host"])
    _check_traffic_policy(spec.traffic_policy, at["trafficPolicy"])
    for index, subset in enumerate(spec.subsets):
        syntax.check_subset_name(subset.name, at["subsets"][index]["name"])
        syntax.check_labels(subset.labels, at["subsets"][index]["labels"])
        _check_traffic_policy(subset.traffic_policy, at["subsets"][index]["trafficPolicy"])
    syntax.check_unique((subset.name for subset in spec.subsets), at["subsets"], "subset")
    syntax.check_export_to(spec.export_to, metadata.namespace, at["exportTo"])
    check_selector(spec.workload_selector, at["workloadSelector"])
    if spec.workload_selector is not None:
        is_private = all(one in (".", metadata.namespace) for one in spec.export_to)
        at["exportTo"].require(is_private, "can only be '.' beside workloadSelector")


def _check_traffic_policy(policy: TrafficPolicy | None, at: Scope) -> None:
    if policy is None:
        return
    at.require(policy != TrafficPolicy(), "must have at least one field")
    _check_blocks(policy, at)
    at["tunnel"].require(policy.tunnel is None or policy.proxy_protocol is None, "cannot stand beside proxyProtocol")
    if policy.tunnel is not None:
        _check_tunnel(policy.tunnel, at["tunnel"])
    if policy.retry_budget is not None:
        percent = policy.retry_budget.percent
        at["retryBudget"]["percent"].require(percent is None or 0 <= percent <= 100, "must be 0..100")
        syntax.check_not_negative(policy.retry_budget.min_retry_concurrency, at["retryBudget"]["minRetryConcurrency"])
    for index, port_policy in enumerate(policy.port_level_settings):
        _check_port_policy(port_policy, at["portLevelSettings"][index])
    numbers = (item.port.number for item in policy.port_level_settings if item.port is not None)
    syntax.check_unique(numbers, at["portLevelSettings"], "port")


def _check_port_policy(policy: PortTrafficPolicy, at: Scope) -> None:
    at["port"].require(policy.port is not None, "is required")
    if policy.port is not None:
        syntax.check_port(policy.port.number, at["port"]["number"])
    at.require(policy != PortTrafficPolicy(port=policy.port), "must have one field beside port")
    _check_blocks(policy, at)


def _check_blocks(policy: TrafficPolicy | PortTrafficPolicy, at: Scope) -> None:
    check_load_balancer(policy.load_balancer, policy.outlier_detection, at["loadBalancer"])
    check_connection_pool(policy.connection_pool, at["connectionPool"])
    check_outlier_detection(policy.outlier_detection, at["outlierDetection"])
    check_client_tls(policy.tls, at["tls"])


def _check_tunnel(tunnel: TunnelSettings, at: Scope) -> None:
    is_known = tunnel.protocol in ("", "CONNECT", "POST")
    at["protocol"].require(is_known, f"must be CONNECT or POST, not {tunnel.protocol!r}")
    syntax.check_address(tunnel.target_host, at["targetHost"])
    syntax.check_port(tunnel.target_port, at["targetPort"])
