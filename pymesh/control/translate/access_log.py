"""Where a listener's access logs go, and in which form. Istio: telemetry_logging.go in pilot/pkg/model."""

import json
from typing import Any

from pymesh.access_log_operators import ISTIO_JSON_FORMAT, ISTIO_TEXT_FORMAT
from pymesh.control.model.extension_provider import FileAccessLogProvider
from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.snapshot.access_logging import Mode
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.type_urls import CEL_FILTER, EXPRESSION_FILTER, FILE_ACCESS_LOG, FILE_ACCESS_LOGGER

_STDOUT = "/dev/stdout"
_BUILT_IN = "envoy"  # a provider that Istio has without being told: standard output, in MeshConfig's format

AccessLog = dict[str, Any]


def build_access_log(view: ProxyView, mode: Mode) -> list[AccessLog]:
    """MeshConfig's accessLogFile holds where no provider is named, and none is switched off."""
    key = ("access-log", view.namespace, view.scope.labels, mode)
    return view.snapshot.cached(key, lambda: _build(view, mode))


def _build(view: ProxyView, mode: Mode) -> list[AccessLog]:
    providers = view.log_providers(mode)
    found = [
        _filtered(log, providers.expression(name))
        for name in providers.names
        if (log := _of_provider(name, view.mesh)) is not None
    ]
    if found or providers.is_disabled or not view.mesh.access_log_file:
        return found
    return [_of_mesh(view.mesh.access_log_file, view.mesh)]


def _filtered(log: AccessLog, expression: str) -> AccessLog:
    """Only what the expression is true of."""
    if not expression:
        return log
    config = {"@type": EXPRESSION_FILTER, "expression": expression}
    return {**log, "filter": {"extension_filter": {"name": CEL_FILTER, "typed_config": config}}}


def _of_provider(name: str, mesh: MeshConfig) -> AccessLog | None:
    """None for one that is not there or gets no access logs."""
    for provider in mesh.extension_providers:
        if provider.name.lower() == name.lower():
            file = provider.envoy_file_access_log
            return _of_file(file, name, mesh) if file is not None else None
    return _of_mesh(_STDOUT, mesh) if name.lower() == _BUILT_IN else None


def _of_file(provider: FileAccessLogProvider, name: str, mesh: MeshConfig) -> AccessLog:
    path, form, omits = provider.path or _STDOUT, provider.log_format, provider.omit_empty_values
    if form is None and not omits and name.lower() == _BUILT_IN:
        return _of_mesh(path, mesh)
    if form is not None and form.labels is not None:
        return _logger(path, _json(form.labels or ISTIO_JSON_FORMAT), omits)
    return _logger(path, _text((form.text if form is not None else "") or ""), omits)


def _of_mesh(path: str, mesh: MeshConfig) -> AccessLog:
    if mesh.access_log_encoding == "JSON":
        return _logger(path, _json(json.loads(mesh.access_log_format) if mesh.access_log_format else ISTIO_JSON_FORMAT))
    return _logger(path, _text(mesh.access_log_format))


def _text(text: str) -> dict[str, Any]:
    text = text or ISTIO_TEXT_FORMAT
    return {"text_format_source": {"inline_string": text if text.endswith("\n") else f"{text}\n"}}


def _json(fields: dict[str, Any]) -> dict[str, Any]:
    return {"json_format": fields}


def _logger(path: str, log_format: dict[str, Any], omits_empty_values: bool = False) -> AccessLog:
    log_format = {**log_format, "omit_empty_values": True} if omits_empty_values else log_format
    config = {"@type": FILE_ACCESS_LOG, "path": path, "log_format": log_format}
    return {"name": FILE_ACCESS_LOGGER, "typed_config": config}
