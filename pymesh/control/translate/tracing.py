"""`tracing` of an HTTP connection manager. Istio: configureTracing in pilot/pkg/networking/core/tracing.go.

Unlike Istio, where nobody gets spans without a provider, the control plane does; and proxies know their own tags
istio.*, so that only their absence has to be said.
"""

import os
from collections.abc import Iterable, Iterator
from typing import Any

from pymesh.control.model.extension_provider import (
    ExtensionProvider,
    HttpService,
    NamedHeader,
    OpenTelemetryProvider,
    ZipkinProvider,
)
from pymesh.control.model.telemetry import CustomTag
from pymesh.control.snapshot.access_logging import Mode
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.snapshot.tracing import TracingSpec
from pymesh.control.translate.config_source import duration
from pymesh.control.translate.type_urls import (
    ENVIRONMENT_RESOURCE_DETECTOR,
    OPENTELEMETRY_CONFIG,
    ZIPKIN_CONFIG,
)
from pymesh.names import outbound_cluster

Message = dict[str, Any]

_ISTIO_TAGS = (
    *("canonical_revision", "canonical_service", "cluster_id", "mesh_id", "namespace"),
    *(f"authorization.dry_run.{kind}_policy.{what}" for kind in ("allow", "deny") for what in ("name", "result")),
)
_SPANS_PATH = "/api/v2/spans"
_ZIPKIN_TIMEOUT = "5s"
_WHOLE = {"value": 100.0}


def build_tracing(view: ProxyView, mode: Mode) -> Message:
    key = ("tracing", view.namespace, view.scope, mode)
    return view.snapshot.cached(key, lambda: _build(view, mode))


def _build(view: ProxyView, mode: Mode) -> Message:
    spec, mesh = view.tracing(mode), view.mesh.default_config.tracing
    provider = _find(view, spec.provider)
    if spec.provider is None:
        provider = _of_address(view)
    built = _provider(view, provider) if provider is not None else None
    # Istio: who names a provider that is not there, or whose service is not, traces nothing.
    is_off = spec.is_disabled or (spec.provider is not None and built is None)
    sampling = 0.0 if is_off else mesh.sampling if spec.sampling is None else spec.sampling
    tracing: Message = {"random_sampling": {"value": sampling}}
    max_path = _max_tag_length(provider) or mesh.max_path_tag_length
    tags = _tags(view, spec)
    tracing |= {"custom_tags": tags} if tags else {}
    tracing |= {"max_path_tag_length": max_path} if max_path else {}
    tracing |= {} if spec.is_propagated else {"no_context_propagation": True}
    return tracing | ({"client_sampling": _WHOLE, "overall_sampling": _WHOLE, "provider": built} if built else {})


def _find(view: ProxyView, name: str | None) -> ExtensionProvider | None:
    """One that gets traces."""
    named = (one for one in view.mesh.extension_providers if name is not None and one.name.lower() == name.lower())
    return next((one for one in named if one.zipkin is not None or one.opentelemetry is not None), None)


def _of_address(view: ProxyView) -> ExtensionProvider | None:
    """The older way to name Zipkin, `host:port`. Where that is no service of the mesh, it is as if nothing was said."""
    told = view.mesh.default_config.tracing.zipkin
    host, _, port = (told.address if told is not None else "").rpartition(":")
    service = view.service_named(host) if host else None
    if service is None:
        return None
    return ExtensionProvider(zipkin=ZipkinProvider(service=service.host, port=int(port)))


def _max_tag_length(provider: ExtensionProvider | None) -> int:
    of = (provider.zipkin or provider.opentelemetry) if provider is not None else None
    return of.max_tag_length if of is not None else 0


def _tags(view: ProxyView, spec: TracingSpec) -> list[Message]:
    mesh = view.mesh.default_config.tracing
    custom = dict(spec.custom_tags) if spec.custom_tags else mesh.custom_tags
    enabled = mesh.enable_istio_tags if spec.has_istio_tags is None else spec.has_istio_tags
    absent = {} if enabled is not False else {f"istio.{name}": None for name in _ISTIO_TAGS}
    return [_tag(name, tag, view.environment) for name, tag in sorted((absent | custom).items())]


def _tag(name: str, tag: CustomTag | None, environment: dict[str, str]) -> Message:
    """`environment` has what rules set of a proxy's variables; what else there is only the proxy itself knows."""
    if tag is None:  # metadata that nobody writes: there is no such tag
        path = {"key": "istio", "path": [{"key": "none"}]}
        return {"tag": name, "metadata": {"kind": {"request": {}}, "metadata_key": path}}
    if tag.literal is not None:
        return {"tag": name, "literal": {"value": tag.literal.value}}
    if tag.environment is not None and environment.get(tag.environment.name):  # Envoy knows no empty literal
        return {"tag": name, "literal": {"value": environment[tag.environment.name]}}
    if tag.formatter is not None:
        return {"tag": name, "value": tag.formatter.value}
    of = tag.environment or tag.header
    told = {"name": of.name, "default_value": of.default_value} if of is not None else {}
    return {"tag": name, "environment" if tag.environment is not None else "request_header": _set_fields(told)}


def _provider(view: ProxyView, provider: ExtensionProvider) -> Message | None:
    """None where its service is not in the mesh: nobody could be told."""
    of = provider.zipkin or provider.opentelemetry
    host = _host(view, of.service, of.port) if of is not None else None
    if of is None or host is None:
        return None
    if isinstance(of, ZipkinProvider):
        return {"name": "envoy.tracers.zipkin", "typed_config": _zipkin(of, host)}
    return {"name": "envoy.tracers.opentelemetry", "typed_config": _opentelemetry(of, host)}


def _host(view: ProxyView, name: str, port: int) -> str | None:
    """Of `[namespace/]host`; a wildcard is nobody to tell."""
    namespace, slash, host = name.rpartition("/")
    service = view.service(host.lower())
    if service is None or service.is_wildcard or (slash and service.namespace != namespace):
        return None
    return service.host if service.port(port) is not None else None


def _zipkin(provider: ZipkinProvider, host: str) -> Message:
    path = provider.path or _SPANS_PATH
    timeout = duration(provider.timeout) if provider.timeout else _ZIPKIN_TIMEOUT
    return {
        "@type": ZIPKIN_CONFIG,
        "collector_endpoint_version": "HTTP_JSON",
        "trace_id_128bit": not provider.enable_64bit_trace_id,
        "shared_span_context": False,
        "trace_context_option": provider.trace_context_option,
        "collector_service": _http_service(
            outbound_cluster(host, provider.port), host + path, timeout, provider.headers
        ),
    }


def _opentelemetry(provider: OpenTelemetryProvider, host: str) -> Message:
    cluster = outbound_cluster(host, provider.port)
    config: Message = {"@type": OPENTELEMETRY_CONFIG}
    if provider.http is not None:
        config["http_service"] = _otlp_http(cluster, host, provider.http)
    else:
        config["grpc_service"] = {"envoy_grpc": {"cluster_name": cluster, "authority": host}}
        if provider.grpc is not None:
            timeout = duration(provider.grpc.timeout) if provider.grpc.timeout else ""
            metadata = list(_headers(provider.grpc.initial_metadata))
            config["grpc_service"] |= _set_fields({"timeout": timeout, "initial_metadata": metadata})
    detectors = provider.resource_detectors
    if detectors is not None and detectors.environment is not None:
        name = "envoy.tracers.opentelemetry.resource_detectors.environment"
        config["resource_detectors"] = [{"name": name, "typed_config": {"@type": ENVIRONMENT_RESOURCE_DETECTOR}}]
    return config


def _otlp_http(cluster: str, host: str, service: HttpService) -> Message:
    timeout = duration(service.timeout) if service.timeout else "3s"
    return _http_service(cluster, host + service.path, timeout, service.headers)


def _http_service(cluster: str, target: str, timeout: str, headers: Iterable[NamedHeader]) -> Message:
    service: Message = {"http_uri": {"uri": f"http://{target}", "cluster": cluster, "timeout": timeout}}
    action = "OVERWRITE_IF_EXISTS_OR_ADD"
    added = [{"append_action": action, "header": header} for header in _headers(headers)]
    return service | _set_fields({"request_headers_to_add": added})


def _headers(headers: Iterable[NamedHeader]) -> Iterator[Message]:
    """As istiod: a variable is one of the control plane's."""
    for header in headers:
        value = os.environ.get(header.env_name, "") if header.env_name is not None else header.value or ""
        yield {"key": header.name, "value": value}


def _set_fields(message: Message) -> Message:
    return {key: value for key, value in message.items() if value}
