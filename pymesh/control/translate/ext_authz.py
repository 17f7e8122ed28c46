"""CUSTOM AuthorizationPolicies: a shadow RBAC filter finds the requests, an ext_authz filter asks the provider of them.

Istio: pilot/pkg/security/authz/builder/extauthz.go.
"""

from collections.abc import Iterable
from typing import Any

from pymesh.control.model.authorization_policy import AuthorizationPolicy
from pymesh.control.model.extension_provider import ExtAuthzGrpc, ExtAuthzHttp
from pymesh.control.model.resource import Resource
from pymesh.control.snapshot.mesh_service import MeshService
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.config_source import duration
from pymesh.control.translate.rbac import build_rules
from pymesh.control.translate.rbac_attributes import RuleContext
from pymesh.control.translate.rbac_policy import Traffic
from pymesh.control.translate.string_match import build_string_match
from pymesh.control.translate.trust_domains import trust_domains
from pymesh.control.translate.type_urls import (
    EXT_AUTHZ,
    EXT_AUTHZ_FILTER,
    HTTP_RBAC,
    HTTP_RBAC_FILTER,
    NETWORK_EXT_AUTHZ,
    NETWORK_EXT_AUTHZ_FILTER,
    NETWORK_RBAC,
    NETWORK_RBAC_FILTER,
)
from pymesh.names import outbound_cluster

Message = dict[str, Any]
Policies = list[Resource[AuthorizationPolicy]]

_METADATA_PREFIX = "istio_ext_authz_"
_POLICY_PREFIX = "istio-ext-authz"
_BAD_SUFFIX = "-deny-due-to-bad-CUSTOM-action"
_DEFAULT_TIMEOUT = "600s"


def build_http_custom(view: ProxyView, port: int | None) -> list[Message]:
    """What cannot be asked is denied: a provider that nobody defined, or two for one workload."""
    filters: list[Message] = []
    by_provider = _by_provider(view)
    for name, policies in sorted(by_provider.items()):
        rules = _rules(view, name, policies, port, is_tcp=False)
        config = _ext_authz(view, name) if len(by_provider) == 1 else None
        if config is None:
            filters.append(_filter(HTTP_RBAC_FILTER, HTTP_RBAC, rules=_denied(rules)))
        else:
            shadow = {"shadow_rules": rules, "shadow_rules_stat_prefix": _METADATA_PREFIX}
            filters += [_filter(HTTP_RBAC_FILTER, HTTP_RBAC, **shadow), _filter(EXT_AUTHZ_FILTER, EXT_AUTHZ, **config)]
    return filters


def build_network_custom(view: ProxyView, port: int | None) -> list[Message]:
    """A provider that is asked by HTTP has nothing to do with TCP."""
    filters: list[Message] = []
    by_provider = _by_provider(view)
    for name, policies in sorted(by_provider.items()):
        rules = _rules(view, name, policies, port, is_tcp=True)
        config = _ext_authz(view, name) if len(by_provider) == 1 else None
        if config is None:
            filters.append(_filter(NETWORK_RBAC_FILTER, NETWORK_RBAC, rules=_denied(rules), stat_prefix="tcp."))
        elif "grpc_service" in config:
            shadow = {"shadow_rules": rules, "shadow_rules_stat_prefix": _METADATA_PREFIX, "stat_prefix": "tcp."}
            filters += [
                _filter(NETWORK_RBAC_FILTER, NETWORK_RBAC, **shadow),
                _filter(NETWORK_EXT_AUTHZ_FILTER, NETWORK_EXT_AUTHZ, **_of_network(config)),
            ]
    return filters


def _of_network(config: Message) -> Message:
    """What of it holds for TCP."""
    kept = {key: config[key] for key in ("grpc_service", "failure_mode_allow", "transport_api_version")}
    enabled = {**config["filter_enabled_metadata"], "filter": NETWORK_RBAC_FILTER}
    return {**kept, "stat_prefix": "tcp.", "filter_enabled_metadata": enabled}


def _by_provider(view: ProxyView) -> dict[str, Policies]:
    found: dict[str, Policies] = {}
    for policy in view.authorization_policies:
        if policy.spec.action == "CUSTOM":
            found.setdefault(policy.spec.provider.name if policy.spec.provider is not None else "", []).append(policy)
    return found


def _rules(view: ProxyView, name: str, policies: Policies, port: int | None, is_tcp: bool) -> Message:
    context = RuleContext("", trust_domains(view.mesh), port)
    built = build_rules("DENY", policies, context, Traffic(is_tcp, narrows=False))
    return {**built, "policies": {f"{_POLICY_PREFIX}-{name}-{key}": item for key, item in built["policies"].items()}}


def _denied(rules: Message) -> Message:
    return {**rules, "policies": {f"{name}{_BAD_SUFFIX}": policy for name, policy in rules["policies"].items()}}


def _filter(name: str, type_url: str, **config: Any) -> Message:
    return {"name": name, "typed_config": {"@type": type_url, **config}}


def _ext_authz(view: ProxyView, name: str) -> Message | None:
    """None where there is no such provider, or no such service."""
    found = next((item for item in view.mesh.extension_providers if item.name == name), None)
    provider = (found.envoy_ext_authz_http or found.envoy_ext_authz_grpc) if found is not None else None
    service = _service(view, provider.service) if provider is not None else None
    if provider is None or service is None:
        return None
    if isinstance(provider, ExtAuthzHttp):
        built = {"http_service": _http_service(provider, service)}
    else:
        built = {"grpc_service": _grpc_service(provider, service)}
    status = {"status_on_error": {"code": int(provider.status_on_error)}} if provider.status_on_error else {}
    return {
        **built,
        "failure_mode_allow": provider.fail_open,
        "transport_api_version": "V3",
        "filter_enabled_metadata": {
            "filter": HTTP_RBAC_FILTER,
            "path": [{"key": f"{_METADATA_PREFIX}shadow_effective_policy_id"}],
            "value": {"string_match": {"prefix": f"{_POLICY_PREFIX}-{name}-"}},
        },
        **status,
        **({"clear_route_cache": True} if provider.clear_route_cache else {}),
    }


def _service(view: ProxyView, name: str) -> MeshService | None:
    """`[namespace/]host`; a wildcard is nobody to ask."""
    namespace, slash, host = name.rpartition("/")
    service = view.service(host.lower())
    if service is None or service.is_wildcard or (slash and service.namespace != namespace):
        return None
    return service


def _http_service(provider: ExtAuthzHttp, service: MeshService) -> Message:
    request: Message = {
        "allowed_headers": _patterns((*provider.include_headers_in_check, *provider.include_request_headers_in_check)),
        "headers_to_add": [
            {"key": key, "value": value} for key, value in provider.include_additional_headers_in_check.items()
        ],
    }
    response = {
        "allowed_upstream_headers": _patterns(provider.headers_to_upstream_on_allow),
        "allowed_client_headers": _patterns(provider.headers_to_downstream_on_deny),
        "allowed_client_headers_on_success": _patterns(provider.headers_to_downstream_on_allow),
    }
    built: Message = {
        "server_uri": {
            "uri": f"http://{service.host}",
            "cluster": outbound_cluster(service.host, provider.port),
            "timeout": duration(provider.timeout) if provider.timeout else _DEFAULT_TIMEOUT,
        },
        "path_prefix": provider.path_prefix,
        "authorization_request": _set_fields(request),
        "authorization_response": _set_fields(response),
    }
    return _set_fields(built)


def _grpc_service(provider: ExtAuthzGrpc, service: MeshService) -> Message:
    server = {"cluster_name": outbound_cluster(service.host, provider.port), "authority": service.host}
    timeout = duration(provider.timeout) if provider.timeout else _DEFAULT_TIMEOUT
    return {"envoy_grpc": server, "timeout": timeout}


def _patterns(names: Iterable[str]) -> Message:
    patterns = [build_string_match(name, ignore_case=True) for name in names]
    return {"patterns": patterns} if patterns else {}


def _set_fields(message: Message) -> Message:
    return {key: value for key, value in message.items() if value}
