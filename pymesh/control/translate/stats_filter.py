"""Istio's filter istio.stats in listeners whose metrics a Telemetry changes. Without it, a proxy here counts them all.

Istio: generateStatsConfig in pilot/pkg/model/telemetry.go. There no filter means no metrics; here that is a filter that
drops each of them. An Envoy that does not know the filter goes on without it, over HTTP.
"""

from typing import Any

from pymesh.control.snapshot.access_logging import Mode
from pymesh.control.snapshot.metric_settings import METRIC_NAMES, MetricOverride, MetricSettings
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.config_source import duration
from pymesh.control.translate.type_urls import (
    HTTP_CONNECTION_MANAGER_FILTER,
    STATS_CONFIG,
    STATS_FILTER,
    TCP_PROXY_FILTER,
    TYPED_STRUCT,
)
from pymesh.xds import Resource

Filter = dict[str, Any]


def add_stats_filters(view: ProxyView, listener: Resource) -> Resource:
    """The listener itself where nothing is changed."""
    mode: Mode = "SERVER" if listener.get("traffic_direction") == "INBOUND" else "CLIENT"
    settings = view.metric_settings(mode)
    if settings == MetricSettings():
        return listener
    stats = _filter(settings, has_host_fallback=mode == "CLIENT" and not view.is_gateway)
    changed = {**listener}
    if "filter_chains" in listener:
        changed["filter_chains"] = [_chain(chain, stats) for chain in listener["filter_chains"]]
    if "default_filter_chain" in listener:
        changed["default_filter_chain"] = _chain(listener["default_filter_chain"], stats)
    return changed


def _chain(chain: dict[str, Any], stats: Filter) -> dict[str, Any]:
    return {**chain, "filters": [one for each in chain["filters"] for one in _with_stats(each, stats)]}


def _with_stats(network_filter: Filter, stats: Filter) -> list[Filter]:
    if network_filter["name"] == TCP_PROXY_FILTER:
        return [stats, network_filter]
    if network_filter["name"] != HTTP_CONNECTION_MANAGER_FILTER:
        return [network_filter]
    config = network_filter["typed_config"]
    *before, router = config["http_filters"]
    filters = [*before, {**stats, "is_optional": True}, router]
    return [{**network_filter, "typed_config": {**config, "http_filters": filters}}]


def _filter(settings: MetricSettings, has_host_fallback: bool) -> Filter:
    overrides = settings.overrides
    if settings.is_disabled:
        overrides = tuple(MetricOverride(name, is_disabled=True) for name in METRIC_NAMES.values())
    value: dict[str, Any] = {"metrics": [_metric(one) for one in overrides]}
    if not has_host_fallback:
        value["disable_host_header_fallback"] = True
    if settings.reporting_interval:
        value["tcp_reporting_duration"] = duration(settings.reporting_interval)
    config = {"@type": TYPED_STRUCT, "type_url": STATS_CONFIG, "value": value}
    return {"name": STATS_FILTER, "typed_config": config}


def _metric(override: MetricOverride) -> dict[str, Any]:
    config: dict[str, Any] = {"name": override.name}
    if override.is_disabled:
        config["drop"] = True
    dimensions = {tag: text for tag, text in override.tags if text is not None}
    removed = [tag for tag, text in override.tags if text is None]
    return (
        config | ({"dimensions": dimensions} if dimensions else {}) | ({"tags_to_remove": removed} if removed else {})
    )
