"""HTTP ends of the collector: OTLP in, Prometheus text and traces out."""

from aiohttp import web
from prometheus_client import CollectorRegistry

from pymesh.control.telemetry.collector import Collector


def collector_routes(collector: Collector) -> list[web.RouteDef]:
    """`POST /v1/traces` and `POST /v1/metrics`."""
    raise NotImplementedError


def monitoring_routes(collector: Collector, registry: CollectorRegistry) -> list[web.RouteDef]:
    """`GET /metrics`, which shows `registry` (control's own metrics) too, `/debug/traces`, `/debug/traces/<id>`."""
    raise NotImplementedError
