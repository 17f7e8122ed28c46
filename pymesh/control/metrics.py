"""What the control plane counts about itself, under istiod's names. The mesh's own metrics are in control/telemetry.

Every name stands here and nowhere else; the rooms are given one ControlMetrics and count on it.
"""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from pymesh import __version__

# istio: pilot/pkg/xds/monitoring.go
_CONVERGENCE_BUCKETS = (0.1, 0.5, 1, 3, 5, 10, 20, 30)
_PUSH_BUCKETS = (0.01, 0.1, 0.5, 1, 3, 5, 10, 20, 30)


class ControlMetrics:
    """The counters of one control plane, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._define_pilot()
        self._define_citadel()
        started = time.monotonic()
        uptime = Gauge("istiod_uptime_seconds", "Seconds since the control plane started.", registry=self.registry)
        uptime.set_function(lambda: time.monotonic() - started)
        self._gauge("pilot_info", "Version of the control plane.", ("version",)).labels(__version__).set(1)

    def exposition(self) -> str:
        """The Prometheus text format."""
        return generate_latest(self.registry).decode()

    def _define_pilot(self) -> None:
        self.proxies = self._gauge("pilot_xds", "Proxies that are connected.")
        self.pushes = self._counter("pilot_xds_pushes", "Answers that carried resources.", ("type",))
        self.rejects = self._counter("pilot_total_xds_rejects", "Answers that a proxy did not accept.")
        self.rejects_by_type = {
            name: self._counter(f"pilot_xds_{name.lower()}_reject", f"{name} answers that a proxy did not accept.")
            for name in ("CDS", "LDS", "EDS", "RDS", "SDS")
        }
        self.convergence = self._histogram(
            "pilot_proxy_convergence_time", "Seconds from a change to its answer to a proxy.", _CONVERGENCE_BUCKETS
        )
        self.push_time = self._histogram("pilot_xds_push_time", "Seconds to build a proxy's resources.", _PUSH_BUCKETS)
        self.debounce_time = self._histogram(
            "pilot_debounce_time", "Seconds from the first change of a batch to its snapshot.", _PUSH_BUCKETS
        )
        self.snapshot_time = self._histogram(
            "pilot_pushcontext_init_seconds", "Seconds to build a snapshot.", _PUSH_BUCKETS
        )
        self.build_failures = self._counter(
            "pymesh_control_build_failures", "Snapshots or proxy configurations that could not be built."
        )
        self.updates = self._counter("pilot_inbound_updates", "Changes of the store.", ("type",))
        self.services = self._gauge("pilot_services", "Services that are known.")
        self.virtual_services = self._gauge("pilot_virt_services", "VirtualServices that are known.")

    def _define_citadel(self) -> None:
        self.csrs = self._counter("citadel_server_csr_count", "CSRs that arrived.")
        self.certificates_issued = self._counter(
            "citadel_server_success_cert_issuance_count", "Certificates that were issued."
        )
        self.authentication_failures = self._counter(
            "citadel_server_authentication_failure_count", "Callers whose proof of identity did not hold."
        )
        self.csr_parse_errors = self._counter(
            "citadel_server_csr_parsing_err_count", "CSRs that could not be read or whose signature is wrong."
        )
        self.csr_sign_errors = self._counter("citadel_server_csr_sign_err_count", "CSRs that were not signed.")
        self.id_extraction_errors = self._counter(
            "citadel_server_id_extraction_err_count", "CSRs and certificates without a mesh identity where one is due."
        )
        self.root_expiry = self._gauge(
            "citadel_server_root_cert_expiry_timestamp", "Unix time at which the root certificate ends."
        )
        self.server_certificate_expiry = self._gauge(
            "citadel_server_cert_chain_expiry_timestamp", "Unix time at which the control plane's certificate ends."
        )

    def _counter(self, name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, text, buckets=buckets, registry=self.registry)
