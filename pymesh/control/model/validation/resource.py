"""Rules of whole resources: metadata, then what the kind demands."""

from collections.abc import Callable
from typing import Any

from pymesh.control.model import kinds
from pymesh.control.model.resource import Metadata, Resource
from pymesh.control.model.scope import Notes, Scope
from pymesh.control.model.validation.authorization_policy import check_authorization_policy
from pymesh.control.model.validation.config_map import check_config_map
from pymesh.control.model.validation.destination_rule import check_destination_rule
from pymesh.control.model.validation.endpoints import check_endpoint_slice, check_endpoints
from pymesh.control.model.validation.envoy_filter import check_envoy_filter
from pymesh.control.model.validation.gateway import check_gateway
from pymesh.control.model.validation.metadata import check_metadata
from pymesh.control.model.validation.peer_authentication import check_peer_authentication
from pymesh.control.model.validation.proxy_config import check_proxy_config
from pymesh.control.model.validation.request_authentication import check_request_authentication
from pymesh.control.model.validation.secret import check_secret
from pymesh.control.model.validation.service import check_service
from pymesh.control.model.validation.service_entry import check_service_entry
from pymesh.control.model.validation.sidecar import check_sidecar
from pymesh.control.model.validation.telemetry import check_telemetry
from pymesh.control.model.validation.virtual_service import check_virtual_service
from pymesh.control.model.validation.wasm_plugin import check_wasm_plugin
from pymesh.control.model.validation.workload_entry import check_workload_entry
from pymesh.control.model.validation.workload_group import check_workload_group

_CHECKS: dict[kinds.Kind, Callable[[Any, Metadata, Scope], None]] = {
    kinds.VIRTUAL_SERVICE: check_virtual_service,
    kinds.DESTINATION_RULE: check_destination_rule,
    kinds.GATEWAY: check_gateway,
    kinds.SERVICE_ENTRY: check_service_entry,
    kinds.WORKLOAD_ENTRY: check_workload_entry,
    kinds.WORKLOAD_GROUP: check_workload_group,
    kinds.SIDECAR: check_sidecar,
    kinds.PROXY_CONFIG: check_proxy_config,
    kinds.ENVOY_FILTER: check_envoy_filter,
    kinds.REQUEST_AUTHENTICATION: check_request_authentication,
    kinds.AUTHORIZATION_POLICY: check_authorization_policy,
    kinds.TELEMETRY: check_telemetry,
    kinds.WASM_PLUGIN: check_wasm_plugin,
    kinds.ENDPOINTS: check_endpoints,
    kinds.ENDPOINT_SLICE: check_endpoint_slice,
    kinds.CONFIG_MAP: check_config_map,
    kinds.PEER_AUTHENTICATION: check_peer_authentication,
    kinds.SERVICE: check_service,
    kinds.SECRET: check_secret,
}


def validate(resource: Resource[Any]) -> Notes:
    """What the resource violates; nothing if it may be stored. The namespace must be filled in."""
    at = Scope()
    check_metadata(resource.kind, resource.metadata, at["metadata"])
    check = _CHECKS.get(resource.kind)
    if check is not None:  # of the others, their types say everything
        check(resource.spec, resource.metadata, at if resource.kind.is_inline else at["spec"])
    return at.notes
