"""Every resource is a valid message of Envoy's API, with no field that Envoy does not know."""

import importlib
import pkgutil

from google.protobuf import json_format, symbol_database
from google.protobuf.message import Message

from pymesh.xds import SHORT_NAMES

# Type URLs inside a resource resolve only when their generated modules are imported.
_PACKAGES = (
    "access_loggers.file",
    "access_loggers.filters.cel",
    "clusters.dynamic_forward_proxy",
    "filters.http.cors",
    "filters.http.dynamic_forward_proxy",
    "filters.http.ext_authz",
    "filters.http.fault",
    "filters.http.jwt_authn",
    "filters.http.rbac",
    "filters.http.router",
    "filters.listener.http_inspector",
    "filters.listener.original_dst",
    "filters.listener.tls_inspector",
    "filters.network.ext_authz",
    "filters.network.http_connection_manager",
    "filters.network.rbac",
    "filters.network.tcp_proxy",
    "path.match.uri_template",
    "request_id.uuid",
    "retry.host.previous_hosts",
    "tracers.opentelemetry.resource_detectors",
    "retry.priority.previous_priorities",
    "transport_sockets.raw_buffer",
    "transport_sockets.tls",
    "upstreams.http",
)
_RESOURCE_PACKAGES = ("listener", "route", "cluster", "endpoint")


def test_every_resource_is_a_message_without_unknown_fields(case):
    for package in (
        "xds.type.v3",
        "envoy.config.trace.v3",
        *(f"envoy.config.{name}.v3" for name in _RESOURCE_PACKAGES),
        *_extensions(),
    ):
        _import_all(package)
    for type_url, resources in case.build().items():
        for name, resource in resources.items():
            assert resource["@type"] == type_url, f"{SHORT_NAMES[type_url]} {name}"
            json_format.ParseDict(_without_type(resource), _message(type_url))


def _extensions():
    return (f"envoy.extensions.{name}.v3" for name in _PACKAGES)


def _import_all(package: str) -> None:
    module = importlib.import_module(package)
    for found in pkgutil.iter_modules(module.__path__):
        importlib.import_module(f"{package}.{found.name}")


def _message(type_url: str) -> Message:
    return symbol_database.Default().GetSymbol(type_url.rpartition("/")[2])()


def _without_type(resource):
    return {key: value for key, value in resource.items() if key != "@type"}
