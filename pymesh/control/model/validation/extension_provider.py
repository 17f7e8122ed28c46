"""Rules of extension providers. Istio: pkg/config/validation/agent/extensionprovider.go."""

from collections.abc import Sequence

from pymesh.control.model.extension_provider import (
    ExtAuthzGrpc,
    ExtAuthzHttp,
    ExtensionProvider,
    HttpService,
    LogFormat,
    NamedHeader,
    OpenTelemetryProvider,
    ZipkinProvider,
)
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.control.model.validation.access_log_format import check_json_format, check_text_format

_KINDS = {
    "envoyExtAuthzHttp": "envoy_ext_authz_http",
    "envoyExtAuthzGrpc": "envoy_ext_authz_grpc",
    "zipkin": "zipkin",
    "opentelemetry": "opentelemetry",
    "prometheus": "prometheus",
    "envoyFileAccessLog": "envoy_file_access_log",
    "lightstep": "lightstep",
    "datadog": "datadog",
    "stackdriver": "stackdriver",
    "opencensus": "opencensus",
    "skywalking": "skywalking",
    "envoyHttpAls": "envoy_http_als",
    "envoyTcpAls": "envoy_tcp_als",
    "envoyOtelAls": "envoy_otel_als",
    "sds": "sds",
}


def check_extension_providers(providers: Sequence[ExtensionProvider], at: Scope) -> None:
    for index, provider in enumerate(providers):
        at[index]["name"].require(provider.name, "is required")
        _check_provider(provider, at[index])
    syntax.check_unique((provider.name for provider in providers), at, "provider")


def types_of(provider: ExtensionProvider) -> set[str]:
    """What the oneof has; exactly one where the provider is valid."""
    return {name for name, field in _KINDS.items() if getattr(provider, field) is not None}


def _check_provider(provider: ExtensionProvider, at: Scope) -> None:
    at.require(
        len(types_of(provider)) == 1, "must have exactly one provider, as envoyExtAuthzHttp, opentelemetry, zipkin, ..."
    )
    if provider.envoy_ext_authz_http is not None:
        _check_ext_authz_http(provider.envoy_ext_authz_http, at["envoyExtAuthzHttp"])
    if provider.envoy_ext_authz_grpc is not None:
        _check_ext_authz(provider.envoy_ext_authz_grpc, at["envoyExtAuthzGrpc"])
    if provider.zipkin is not None:
        _check_zipkin(provider.zipkin, at["zipkin"])
    if provider.opentelemetry is not None:
        _check_opentelemetry(provider.opentelemetry, at["opentelemetry"])
    log = provider.envoy_file_access_log
    if log is not None and log.log_format is not None:
        _check_log_format(log.log_format, at["envoyFileAccessLog"]["logFormat"])


def _check_log_format(log_format: LogFormat, at: Scope) -> None:
    is_single = log_format.text is None or log_format.labels is None
    at.require(is_single, "must have only one of text and labels")
    check_text_format(log_format.text or "", at["text"])
    check_json_format(log_format.labels or {}, at["labels"])


def _check_service(service: str, port: int, at: Scope) -> None:
    """`[namespace/]host`."""
    namespace, slash, host = service.rpartition("/")
    if not service:
        at["service"].fail("is required")
    else:
        is_namespace = not slash or syntax.is_dns_label(namespace)
        at["service"].require(is_namespace, f"{namespace!r} is not a namespace")
        syntax.check_address(host, at["service"])
    syntax.check_port(port, at["port"])


def _check_ext_authz(provider: ExtAuthzHttp | ExtAuthzGrpc, at: Scope) -> None:
    _check_service(provider.service, provider.port, at)
    syntax.check_duration(provider.timeout, at["timeout"])
    code = provider.status_on_error
    is_code = not code or (code.isascii() and code.isdecimal() and len(code) == 3 and 100 <= int(code) <= 599)
    at["statusOnError"].require(is_code, f"must be an HTTP status, not {code!r}")
    body = provider.include_request_body_in_check
    if body is not None:
        here = at["includeRequestBodyInCheck"]["maxRequestBytes"]
        here.require(body.max_request_bytes > 0, "must be more than 0")


def _check_ext_authz_http(provider: ExtAuthzHttp, at: Scope) -> None:
    _check_ext_authz(provider, at)
    is_path = not provider.path_prefix or provider.path_prefix.startswith("/")
    at["pathPrefix"].require(is_path, f"must begin with /, not {provider.path_prefix!r}")
    for name in provider.include_additional_headers_in_check:
        syntax.check_header_name(name, at["includeAdditionalHeadersInCheck"][name])
    for field, patterns in (
        ("includeHeadersInCheck", provider.include_headers_in_check),
        ("includeRequestHeadersInCheck", provider.include_request_headers_in_check),
        ("headersToUpstreamOnAllow", provider.headers_to_upstream_on_allow),
        ("headersToDownstreamOnDeny", provider.headers_to_downstream_on_deny),
        ("headersToDownstreamOnAllow", provider.headers_to_downstream_on_allow),
    ):
        for index, pattern in enumerate(patterns):
            is_pattern = pattern.count("*") <= 1 and pattern.strip("*") != "" and "*" not in pattern[1:-1]
            at[field][index].require(is_pattern, f"must be a header, a*, or *a, not {pattern!r}")


def _check_zipkin(provider: ZipkinProvider, at: Scope) -> None:
    _check_service(provider.service, provider.port, at)
    syntax.check_duration(provider.timeout, at["timeout"])
    _check_headers(provider.headers, at["headers"])


def _check_opentelemetry(provider: OpenTelemetryProvider, at: Scope) -> None:
    _check_service(provider.service, provider.port, at)
    at.require(provider.http is None or provider.grpc is None, "must have only one of http and grpc")
    if provider.http is not None:
        _check_http_service(provider.http, at["http"])
    if provider.grpc is not None:
        syntax.check_duration(provider.grpc.timeout, at["grpc"]["timeout"])
        _check_headers(provider.grpc.initial_metadata, at["grpc"]["initialMetadata"])


def _check_http_service(http: HttpService, at: Scope) -> None:
    at["path"].require(http.path.startswith("/"), f"must begin with /, not {http.path!r}")
    syntax.check_duration(http.timeout, at["timeout"])
    _check_headers(http.headers, at["headers"])


def _check_headers(headers: Sequence[NamedHeader], at: Scope) -> None:
    for index, header in enumerate(headers):
        syntax.check_header_name(header.name, at[index]["name"])
        is_single = (header.value is None) != (header.env_name is None)
        at[index].require(is_single, "must have one of value and envName")
