"""What a listener counts; Envoy's names.

https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/stats
"""

from dataclasses import asdict, dataclass

from pymesh.proxy.telemetry.metric_names import (
    DOWNSTREAM_CX_ACTIVE,
    DOWNSTREAM_CX_OVERFLOW,
    DOWNSTREAM_CX_TOTAL,
    DOWNSTREAM_GLOBAL_CX_OVERFLOW,
    LISTENER_SSL_ERROR,
    NO_FILTER_CHAIN_MATCH,
)


@dataclass(slots=True)
class ListenerStats:
    """`downstream_cx_active` is a gauge. `downstream_cx_overflow`: refused for the listener's limit,
    `downstream_global_cx_overflow` for the proxy's; `downstream_pre_cx_timeout`: told too little for a filter chain;
    `accept_paused`: no file descriptors left; `ssl_context_missing`: the certificate has not come yet."""

    downstream_cx_total: int = 0
    downstream_cx_active: int = 0
    downstream_cx_overflow: int = 0
    downstream_global_cx_overflow: int = 0
    downstream_pre_cx_timeout: int = 0
    no_filter_chain_match: int = 0
    ssl_handshake: int = 0
    ssl_connection_error: int = 0
    ssl_fail_verify_san: int = 0
    ssl_context_missing: int = 0
    accept_paused: int = 0

    def as_dict(self) -> dict[str, int]:
        return asdict(self)

    def add(self, other: "ListenerStats") -> None:
        for name, value in other.as_dict().items():
            setattr(self, name, getattr(self, name) + value)


# What is exposed, as the sum of all listeners.
METRICS = {
    DOWNSTREAM_CX_TOTAL: "downstream_cx_total",
    DOWNSTREAM_CX_ACTIVE: "downstream_cx_active",
    DOWNSTREAM_CX_OVERFLOW: "downstream_cx_overflow",
    DOWNSTREAM_GLOBAL_CX_OVERFLOW: "downstream_global_cx_overflow",
    NO_FILTER_CHAIN_MATCH: "no_filter_chain_match",
    LISTENER_SSL_ERROR: "ssl_connection_error",
}
