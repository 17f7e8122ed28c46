"""Rules of what an HTTP route matches. Istio: validateHTTPRouteMatchRequest in pkg/config/validation."""

from collections.abc import Mapping

from pymesh.control.model.jwt_claim import claim_path
from pymesh.control.model.messages import StringMatch
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.control.model.validation.route import check_gateway_names
from pymesh.control.model.virtual_service import HTTPMatchRequest


def check_http_match(match: HTTPMatchRequest, is_for_gateways: bool, at: Scope) -> None:
    """`is_for_gateways`: no sidecar obeys the VirtualService, so that claims of a JWT may be matched."""
    syntax.check_string_match(match.uri, at["uri"], allow_empty_prefix=True)
    for name in ("scheme", "method", "authority"):
        syntax.check_string_match(getattr(match, name), at[name])
    _check_headers(match.headers, is_for_gateways, at["headers"])
    _check_headers(match.without_headers, is_for_gateways, at["withoutHeaders"])
    for name, parameter in match.query_params.items():
        at["queryParams"].require(name, "a parameter must have a name")
        syntax.check_string_match(parameter, at["queryParams"][name], allow_presence=True)
    syntax.check_optional_port(match.port, at["port"])
    syntax.check_labels(match.source_labels, at["sourceLabels"])
    check_gateway_names(match.gateways, at["gateways"])
    if match.source_namespace:
        syntax.check_dns_label(match.source_namespace, at["sourceNamespace"])


def _check_headers(headers: Mapping[str, StringMatch], is_for_gateways: bool, at: Scope) -> None:
    for name, header in headers.items():
        if claim_path(name):
            at[name].require(is_for_gateways, "claims of a JWT can only be matched by gateways, not by sidecars")
        else:
            syntax.check_matched_header_name(name, at[name])
        syntax.check_string_match(header, at[name], allow_presence=True)
