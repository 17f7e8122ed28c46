"""Rules of MeshConfig. Istio: ValidateMeshConfig in pkg/config/validation/agent."""

from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.model.proxy_settings import ProxySettings
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.control.model.validation.access_log_format import check_encoded_json_format, check_text_format
from pymesh.control.model.validation.connection_pool import check_connection_pool, check_keepalive
from pymesh.control.model.validation.extension_provider import check_extension_providers, types_of
from pymesh.control.model.validation.locality import check_locality_lb
from pymesh.control.model.validation.outlier_detection import check_outlier_detection
from pymesh.control.model.validation.retry import check_retries
from pymesh.control.model.validation.server_tls import check_cipher_suites
from pymesh.control.model.validation.telemetry import check_tag

_LONGEST_CONNECT_TIMEOUT = 3600.0
ECDH_CURVES = ("P-224", "P-256", "P-384", "P-521", "X25519", "X25519Kyber768Draft00", "X25519MLKEM768")


_TYPES_OF_TRACING = {"zipkin", "opentelemetry", "lightstep", "datadog", "stackdriver", "opencensus", "skywalking"}
_TYPES_OF_METRICS = {"prometheus", "stackdriver"}
_TYPES_OF_LOGGING = {"envoyFileAccessLog", "envoyHttpAls", "envoyTcpAls", "envoyOtelAls", "stackdriver"}
# Istio has these without saying so.
_BUILT_IN = {"prometheus": {"prometheus"}, "stackdriver": {"stackdriver"}, "envoy": {"envoyFileAccessLog"}}


def check_mesh_config(mesh: MeshConfig, at: Scope, is_whole: bool = True) -> None:
    """Not `is_whole`: another one, not known here, is merged with it and may have the providers that it names."""
    syntax.check_duration(mesh.connect_timeout, at["connectTimeout"], longest=_LONGEST_CONNECT_TIMEOUT)
    syntax.check_duration(mesh.protocol_detection_timeout, at["protocolDetectionTimeout"], allow_zero=True)
    syntax.check_duration(mesh.dns_refresh_rate, at["dnsRefreshRate"])
    if mesh.tcp_keepalive is not None:
        check_keepalive(mesh.tcp_keepalive, at["tcpKeepalive"])
    syntax.check_dns_label(mesh.root_namespace, at["rootNamespace"])
    syntax.check_exact_host(mesh.trust_domain, at["trustDomain"])
    for index, alias in enumerate(mesh.trust_domain_aliases):
        syntax.check_exact_host(alias, at["trustDomainAliases"][index])
    _check_default_exports(mesh, at)
    _check_default_policies(mesh, at)
    _check_access_log_format(mesh, at["accessLogFormat"])
    check_extension_providers(mesh.extension_providers, at["extensionProviders"])
    _check_default_providers(mesh, at["defaultProviders"], is_whole)
    _check_tls(mesh, at)
    _check_proxy_settings(mesh.default_config, at["defaultConfig"])


def _check_default_exports(mesh: MeshConfig, at: Scope) -> None:
    defaults = {
        "defaultServiceExportTo": mesh.default_service_export_to,
        "defaultVirtualServiceExportTo": mesh.default_virtual_service_export_to,
        "defaultDestinationRuleExportTo": mesh.default_destination_rule_export_to,
    }
    for name, export_to in defaults.items():
        # `.` is the namespace of each object, so it cannot be the same as one that is named.
        syntax.check_export_to(export_to, ".", at[name], allow_none=True)


def _check_default_policies(mesh: MeshConfig, at: Scope) -> None:
    if mesh.default_http_retry_policy is not None:
        check_retries(mesh.default_http_retry_policy, at["defaultHttpRetryPolicy"])
    check_locality_lb(mesh.locality_lb_setting, at["localityLbSetting"])
    policy = mesh.default_traffic_policy
    if policy is not None:
        check_connection_pool(policy.connection_pool, at["defaultTrafficPolicy"]["connectionPool"])
        check_outlier_detection(policy.outlier_detection, at["defaultTrafficPolicy"]["outlierDetection"])


def _check_access_log_format(mesh: MeshConfig, at: Scope) -> None:
    if mesh.access_log_format:
        check = check_encoded_json_format if mesh.access_log_encoding == "JSON" else check_text_format
        check(mesh.access_log_format, at)


def _check_default_providers(mesh: MeshConfig, at: Scope, is_whole: bool) -> None:
    if mesh.default_providers is None:
        return
    known = _BUILT_IN | {provider.name: types_of(provider) for provider in mesh.extension_providers}
    for field, names, fitting, what in (
        ("tracing", mesh.default_providers.tracing, _TYPES_OF_TRACING, "traces"),
        ("metrics", mesh.default_providers.metrics, _TYPES_OF_METRICS, "metrics"),
        ("accessLogging", mesh.default_providers.access_logging, _TYPES_OF_LOGGING, "access logs"),
    ):
        for index, name in enumerate(names):
            here = at[field][index]
            if name not in known:
                _note_missing_provider(name, here, is_whole)
            elif not known[name] <= fitting:
                here.fail(f"{name!r} gets no {what}, being of type {', '.join(sorted(known[name]))}")


def _note_missing_provider(name: str, at: Scope, is_whole: bool) -> None:
    missing = f"{name!r} is none of the extensionProviders"
    if is_whole:
        at.fail(missing)
    else:
        at.warn(f"{missing}: unless --mesh-config has it, all of this MeshConfig has no effect")


def _check_tls(mesh: MeshConfig, at: Scope) -> None:
    for field, tls in (("meshMTLS", mesh.mesh_mtls), ("tlsDefaults", mesh.tls_defaults)):
        if tls is not None:
            check_cipher_suites(tls.cipher_suites, at[field]["cipherSuites"])
    if mesh.mesh_mtls is not None:
        at["meshMTLS"]["ecdhCurves"].require(not mesh.mesh_mtls.ecdh_curves, "is only supported in tlsDefaults")
    for index, curve in enumerate(mesh.tls_defaults.ecdh_curves if mesh.tls_defaults is not None else ()):
        if curve not in ECDH_CURVES:
            at["tlsDefaults"]["ecdhCurves"][index].warn(f"{curve!r} is not a curve and has no effect")


def _check_proxy_settings(settings: ProxySettings, at: Scope) -> None:
    syntax.check_range(settings.tracing.sampling, 0, 100, at["tracing"]["sampling"])
    syntax.check_not_negative(settings.tracing.max_path_tag_length, at["tracing"]["maxPathTagLength"])
    if settings.tracing.zipkin is not None:
        host, _, port = settings.tracing.zipkin.address.rpartition(":")
        is_address = bool(host) and port.isascii() and port.isdecimal() and 0 < int(port) < 65536
        at["tracing"]["zipkin"]["address"].require(is_address, "must be host:port")
    for name, tag in settings.tracing.custom_tags.items():
        here = at["tracing"]["customTags"][name]
        check_tag(tag, here)
        here["formatter"].require(tag.formatter is None, "can only stand in a Telemetry")
    syntax.check_duration(settings.termination_drain_duration, at["terminationDrainDuration"], allow_zero=True)
    syntax.check_duration(settings.drain_duration, at["drainDuration"])
    if settings.concurrency is not None:
        syntax.check_not_negative(settings.concurrency, at["concurrency"])
    if settings.gateway_topology is not None:
        syntax.check_not_negative(
            settings.gateway_topology.num_trusted_proxies, at["gatewayTopology"]["numTrustedProxies"]
        )
