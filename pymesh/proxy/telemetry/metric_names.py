"""The names, helps, labels and buckets of every metric of a proxy. Nothing is counted here.

https://istio.io/latest/docs/reference/config/metrics/
"""

from typing import NamedTuple

COUNTER = "counter"
GAUGE = "gauge"
HISTOGRAM = "histogram"


class Metric(NamedTuple):
    name: str
    kind: str
    help: str
    unit: str = ""  # in UCUM, as OTLP wants it


# Upper bounds, `le`, of Envoy's histograms; the last bucket, +Inf, is not written here.
BUCKETS = (
    *(0.5, 1.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0, 30_000.0, 60_000.0),
    *(300_000.0, 600_000.0, 1_800_000.0, 3_600_000.0),
)

PEER_LABELS = (
    *("reporter", "source_workload", "source_canonical_service", "source_canonical_revision"),
    *("source_workload_namespace", "source_principal", "source_app", "source_version", "source_cluster"),
    *("destination_workload", "destination_workload_namespace", "destination_principal", "destination_app"),
    *("destination_version", "destination_service", "destination_canonical_service"),
    *("destination_canonical_revision", "destination_service_name", "destination_service_namespace"),
    "destination_cluster",
)
HTTP_LABELS = (
    *PEER_LABELS,
    *("request_protocol", "response_code", "grpc_response_status", "response_flags", "connection_security_policy"),
)
TCP_LABELS = (*PEER_LABELS, "request_protocol", "response_flags", "connection_security_policy")

REQUESTS_TOTAL = Metric("istio_requests_total", COUNTER, "Requests that were completed.")
REQUEST_DURATION = Metric("istio_request_duration_milliseconds", HISTOGRAM, "Duration of requests.", "ms")
REQUEST_BYTES = Metric("istio_request_bytes", HISTOGRAM, "Size of request bodies.", "By")
RESPONSE_BYTES = Metric("istio_response_bytes", HISTOGRAM, "Size of response bodies.", "By")
TCP_SENT_BYTES = Metric("istio_tcp_sent_bytes_total", COUNTER, "Bytes sent to the client of TCP connections.", "By")
TCP_RECEIVED_BYTES = Metric("istio_tcp_received_bytes_total", COUNTER, "Bytes received from TCP clients.", "By")
TCP_OPENED = Metric("istio_tcp_connections_opened_total", COUNTER, "TCP connections that were opened.")
TCP_CLOSED = Metric("istio_tcp_connections_closed_total", COUNTER, "TCP connections that were closed.")

# Of the proxy itself. What a component registers, it finds here.
DOWNSTREAM_CX_TOTAL = Metric("envoy_listener_downstream_cx_total", COUNTER, "Connections that listeners accepted.")
DOWNSTREAM_CX_ACTIVE = Metric("envoy_listener_downstream_cx_active", GAUGE, "Open downstream connections.")
DOWNSTREAM_CX_OVERFLOW = Metric(
    "envoy_listener_downstream_cx_overflow", COUNTER, "Connections refused for a listener's limit."
)
DOWNSTREAM_GLOBAL_CX_OVERFLOW = Metric(
    "envoy_listener_downstream_global_cx_overflow", COUNTER, "Connections refused for the limit of the whole proxy."
)
NO_FILTER_CHAIN_MATCH = Metric(
    "envoy_listener_no_filter_chain_match", COUNTER, "Connections closed because no filter chain takes them."
)
LISTENER_SSL_ERROR = Metric("envoy_listener_ssl_connection_error", COUNTER, "TLS handshakes with clients that failed.")
EXT_AUTHZ_ALLOWED = Metric("envoy_http_ext_authz_ok", COUNTER, "Requests that an external authorizer allowed.")
EXT_AUTHZ_DENIED = Metric("envoy_http_ext_authz_denied", COUNTER, "Requests that an external authorizer denied.")
EXT_AUTHZ_ERROR = Metric("envoy_http_ext_authz_error", COUNTER, "Requests whose authorizer did not answer.")
JWT_ALLOWED = Metric("envoy_http_jwt_authn_allowed", COUNTER, "Requests whose tokens, if any, were good.")
JWT_DENIED = Metric("envoy_http_jwt_authn_denied", COUNTER, "Requests with a bad token.")
JWT_PREFLIGHT_BYPASSED = Metric(
    "envoy_http_jwt_authn_cors_preflight_bypassed", COUNTER, "CORS preflights of which no token was asked."
)
RBAC_ALLOWED = Metric("envoy_http_rbac_allowed", COUNTER, "Requests that authorization policies allowed.")
RBAC_DENIED = Metric("envoy_http_rbac_denied", COUNTER, "Requests that authorization policies denied.")
RBAC_SHADOW_ALLOWED = Metric("envoy_http_rbac_shadow_allowed", COUNTER, "Requests that shadow rules would allow.")
RBAC_SHADOW_DENIED = Metric("envoy_http_rbac_shadow_denied", COUNTER, "Requests that shadow rules would deny.")
DRY_RUN_ALLOW_ALLOWED = Metric(
    "envoy_http_rbac_istio_dry_run_allow_shadow_allowed", COUNTER, "Requests that tried ALLOW policies would allow."
)
DRY_RUN_ALLOW_DENIED = Metric(
    "envoy_http_rbac_istio_dry_run_allow_shadow_denied", COUNTER, "Requests that tried ALLOW policies would deny."
)
DRY_RUN_DENY_ALLOWED = Metric(
    "envoy_http_rbac_istio_dry_run_deny_shadow_allowed", COUNTER, "Requests that tried DENY policies would allow."
)
DRY_RUN_DENY_DENIED = Metric(
    "envoy_http_rbac_istio_dry_run_deny_shadow_denied", COUNTER, "Requests that tried DENY policies would deny."
)
TCP_RBAC_SHADOW_ALLOWED = Metric("envoy_tcp_rbac_shadow_allowed", COUNTER, "Connections that shadow rules would allow.")
TCP_RBAC_SHADOW_DENIED = Metric("envoy_tcp_rbac_shadow_denied", COUNTER, "Connections that shadow rules would deny.")
TCP_RBAC_ALLOWED = Metric("envoy_tcp_rbac_allowed", COUNTER, "TCP connections that authorization policies allowed.")
TCP_RBAC_DENIED = Metric("envoy_tcp_rbac_denied", COUNTER, "TCP connections that authorization policies denied.")
DOWNSTREAM_RQ_ACTIVE = Metric("envoy_http_downstream_rq_active", GAUGE, "Requests in flight.")
UPSTREAM_CX_TOTAL = Metric("envoy_cluster_upstream_cx_total", COUNTER, "Connections to endpoints, failed attempts too.")
UPSTREAM_CX_ACTIVE = Metric("envoy_cluster_upstream_cx_active", GAUGE, "Open connections to endpoints.")
UPSTREAM_CX_OVERFLOW = Metric(
    "envoy_cluster_upstream_cx_overflow", COUNTER, "Connections that the circuit breakers of clusters refused."
)
UPSTREAM_RQ_RETRY = Metric("envoy_cluster_upstream_rq_retry", COUNTER, "Requests that were sent again.")
UPSTREAM_RQ_RETRY_OVERFLOW = Metric(
    "envoy_cluster_upstream_rq_retry_overflow", COUNTER, "Retries that the circuit breakers of clusters refused."
)
UPSTREAM_RQ_PENDING_OVERFLOW = Metric(
    "envoy_cluster_upstream_rq_pending_overflow", COUNTER, "Requests that the circuit breakers of clusters refused."
)
MEMBERSHIP_TOTAL = Metric("envoy_cluster_membership_total", GAUGE, "Endpoints of all clusters.")
MEMBERSHIP_HEALTHY = Metric("envoy_cluster_membership_healthy", GAUGE, "Endpoints of all clusters that are healthy.")
MEMBERSHIP_DEGRADED = Metric("envoy_cluster_membership_degraded", GAUGE, "Endpoints of all clusters that are degraded.")
EJECTIONS_ACTIVE = Metric("envoy_cluster_outlier_detection_ejections_active", GAUGE, "Endpoints that are ejected now.")
EJECTIONS_ENFORCED = Metric(
    "envoy_cluster_outlier_detection_ejections_enforced_total", COUNTER, "Ejections of endpoints that failed."
)
EJECTIONS_OVERFLOW = Metric(
    "envoy_cluster_outlier_detection_ejections_overflow", COUNTER, "Ejections that max_ejection_percent prevented."
)
HEALTH_CHECK_ATTEMPT = Metric("envoy_cluster_health_check_attempt", COUNTER, "Active health checks.")
HEALTH_CHECK_FAILURE = Metric("envoy_cluster_health_check_failure", COUNTER, "Active health checks that failed.")
CONFIG_REJECTED = Metric("pymesh_config_rejected_total", COUNTER, "xDS resources that this proxy did not accept.")
CONFIG_UPDATES = Metric("pymesh_config_updates_total", COUNTER, "xDS responses that this proxy applied as a whole.")
CONTROL_CONNECTED = Metric("envoy_control_plane_connected_state", GAUGE, "1 while the control plane answers, else 0.")
CERT_EXPIRY = Metric("cert_expiry_seconds", GAUGE, "Seconds until the workload certificate expires.", "s")
STREAM_CRASHES = Metric("pymesh_stream_crashes_total", COUNTER, "Streams ended by a bug, each with a traceback.")

WORKER_DEATHS = Metric("pymesh_worker_deaths_total", COUNTER, "Worker processes that died and were replaced.")

# Of telemetry.
SERIES_OVERFLOW = Metric("pymesh_series_overflow_total", COUNTER, "Streams counted under the catch-all series.")
ACCESS_LOG_DROPPED = Metric("pymesh_access_log_dropped_total", COUNTER, "Access log lines that were not written.")
SPANS_DROPPED = Metric("pymesh_spans_dropped_total", COUNTER, "Spans that never reached the control plane.")
METRICS_DROPPED = Metric("pymesh_metric_exports_failed_total", COUNTER, "Metric exports that did not arrive.")

# Of the process: Prometheus' standard names.
PROCESS_CPU = Metric("process_cpu_seconds_total", COUNTER, "User and system CPU time of the process.", "s")
PROCESS_RSS = Metric("process_resident_memory_bytes", GAUGE, "Resident memory of the process.", "By")
PROCESS_FDS = Metric("process_open_fds", GAUGE, "Open file descriptors of the process.")
PROCESS_START = Metric("process_start_time_seconds", GAUGE, "When the process started, since the epoch.", "s")
