"""Faults on purpose: delays and aborts.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/fault_filter
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from pymesh.protojson import Reader
from pymesh.proxy.http_filters.filter import (
    CONTINUE,
    STOP,
    FilterContext,
    FilterStatus,
    HttpFilterFactory,
    LocalReply,
)
from pymesh.proxy.routing.route import Route

NAME = "envoy.filters.http.fault"

_TEXT = b"fault filter abort"


@dataclass(frozen=True, slots=True)
class FaultConfig:
    """Percentages are 0..100, the delay is seconds. A gRPC status is answered with HTTP 200, as gRPC does."""

    delay: float = 0.0
    delay_percentage: float = 0.0
    abort_status: int = 0
    abort_grpc_status: int | None = None
    abort_percentage: float = 0.0

    def delays(self, random_value: float) -> bool:
        """`random_value` is in [0, 1)."""
        return self.delay > 0 and random_value * 100.0 < self.delay_percentage

    def aborts(self, random_value: float) -> bool:
        return random_value * 100.0 < self.abort_percentage


_NO_FAULTS = FaultConfig()


class Fault:
    def __init__(self, config: FaultConfig, context: FilterContext) -> None:
        self._config = config
        self._context = context

    def on_request(self, stream: Any) -> FilterStatus | LocalReply:
        match, config = stream.match, self._config
        if match is not None:
            config = match.route.filter_configs.get(NAME, config)
        if stream.weighted_cluster is not None:
            stream.info.upstream_cluster = stream.weighted_cluster.name
        if config.delay and config.delays(self._context.random()):
            stream.info.add_flag("DI")
            self._context.timers.call_later(config.delay, partial(self._on_delayed, stream, config))
            return STOP
        return self._abort(config) or CONTINUE

    def _on_delayed(self, stream: Any, config: FaultConfig) -> None:
        reply = self._abort(config)
        if reply is None:
            stream.continue_request()
        else:
            stream.send_local_reply(reply)

    def _abort(self, config: FaultConfig) -> LocalReply | None:
        if not config.abort_percentage or not config.aborts(self._context.random()):
            return None
        if config.abort_grpc_status is not None:
            # Who does not speak gRPC gets a text, and 200 too, as from Envoy.
            return LocalReply(200, _TEXT, "fault_filter_abort", "FI", grpc_status=config.abort_grpc_status)
        return LocalReply(config.abort_status, _TEXT, "fault_filter_abort", "FI")


def _is_idle(config: FaultConfig, route: Route | None) -> bool:
    return config == _NO_FAULTS and (route is None or NAME not in route.filter_configs)


def decode_fault(reader: Reader) -> FaultConfig:
    reader.ignore("@type")
    delay, delay_percentage = _decode_delay(reader.object("delay"))
    abort = reader.object("abort")
    if abort is None:
        return FaultConfig(delay, delay_percentage)
    kind = abort.oneof("http_status", "grpc_status")
    if kind is None:
        abort.fail("http_status", "is required")
    status = abort.integer("http_status")
    if kind == "http_status" and not 200 <= status < 600:
        abort.fail("http_status", "must be 200..599")
    return FaultConfig(
        delay, delay_percentage, status, abort.optional_integer("grpc_status"), abort.percent("percentage") or 0.0
    )


def _decode_delay(reader: Reader | None) -> tuple[float, float]:
    if reader is None:
        return 0.0, 0.0
    delay = reader.duration("fixed_delay") or reader.fail("fixed_delay", "is required")
    return delay, reader.percent("percentage") or 0.0


FACTORY = HttpFilterFactory(
    type_url="type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
    name=NAME,
    decode=decode_fault,
    decode_route=decode_fault,
    build=Fault,
    is_idle=_is_idle,
)
