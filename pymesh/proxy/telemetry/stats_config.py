"""stats.PluginConfig of Istio's filter istio.stats, decoded: what configuration changes of the standard metrics.

https://github.com/istio/proxy/blob/master/source/extensions/filters/http/istio_stats/config.proto
"""

from dataclasses import dataclass

from pymesh.cel import METRIC_ATTRIBUTES, compile_expression
from pymesh.protojson import Reader

FILTER_NAME = "istio.stats"
TYPE_URL = "type.googleapis.com/xds.type.v3.TypedStruct"
CONFIG_TYPE_URL = "type.googleapis.com/stats.PluginConfig"

# Figures of open connections are read when somebody asks, so no interval is needed, and a series lives as the proxy.
_IGNORED = ("disable_host_header_fallback", "tcp_reporting_duration", "rotation_interval", "graceful_deletion_interval")


@dataclass(frozen=True, slots=True)
class MetricConfig:
    """`name` without `istio_`; the empty one is every metric. `dimensions`: label and expression."""

    name: str = ""
    is_dropped: bool = False
    dimensions: tuple[tuple[str, str], ...] = ()
    tags_to_remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StatsConfig:
    metrics: tuple[MetricConfig, ...] = ()


def decode_stats(reader: Reader) -> StatsConfig:
    """Of an xds.type.v3.TypedStruct. Raises DecodeError."""
    reader.ignore("@type")
    if reader.required_string("type_url") != CONFIG_TYPE_URL:
        reader.fail("type_url", f"must be {CONFIG_TYPE_URL}")
    config = reader.object("value")
    if config is None:
        return StatsConfig()
    config.ignore(*_IGNORED)
    return StatsConfig(tuple(map(_decode_metric, config.objects("metrics"))))


def _decode_metric(reader: Reader) -> MetricConfig:
    dimensions = reader.map("dimensions")
    for tag, expression in dimensions.items():
        _check(reader, tag, expression)
    return MetricConfig(
        reader.string("name"),
        reader.boolean("drop"),
        tuple(sorted(dimensions.items())),
        reader.strings("tags_to_remove"),
    )


def _check(reader: Reader, tag: str, expression: object) -> None:
    """What nobody declared is an error of each evaluation, as in Istio's filter."""
    if not isinstance(expression, str):
        reader.fail(f"dimensions.{tag}", "must be text")
    try:
        compile_expression(expression, METRIC_ATTRIBUTES)
    except ValueError as error:
        reader.fail(f"dimensions.{tag}", str(error))
