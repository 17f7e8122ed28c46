"""The table of analyzers, and how they are run."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from pymesh.control.analysis.analyzed_mesh import AnalyzedMesh
from pymesh.control.analysis.annotations import check_annotations
from pymesh.control.analysis.conditions import check_conditions
from pymesh.control.analysis.deprecation import check_deprecated_fields
from pymesh.control.analysis.destination_rules import (
    check_ca_certificates,
    check_destination_rule_hosts,
    check_mtls_conflicts,
    check_subset_labels,
)
from pymesh.control.analysis.envoy_filters import check_envoy_patches
from pymesh.control.analysis.gateway_credentials import check_gateway_credentials
from pymesh.control.analysis.gateway_routes import check_gateway_routes
from pymesh.control.analysis.gateways import (
    check_conflicting_gateways,
    check_duplicate_certificates,
    check_gateway_ports,
    check_gateway_selectors,
)
from pymesh.control.analysis.jwt_claims import check_jwt_claim_routes
from pymesh.control.analysis.message import Message
from pymesh.control.analysis.policies import check_jwt_ports, check_policy_namespaces, check_policy_workloads
from pymesh.control.analysis.regexes import check_regexes
from pymesh.control.analysis.schema import check_schema
from pymesh.control.analysis.selectors import (
    check_default_sidecars,
    check_default_telemetries,
    check_sidecar_selectors,
    check_telemetry_selectors,
)
from pymesh.control.analysis.service_entries import check_addresses, check_protocols
from pymesh.control.analysis.services import check_port_names, check_services_of_workloads
from pymesh.control.analysis.telemetries import check_telemetry_providers
from pymesh.control.analysis.unreachable_rules import check_unreachable_rules
from pymesh.control.analysis.virtual_service_destinations import (
    check_delegates,
    check_destination_hosts,
    check_destination_subsets,
)
from pymesh.control.analysis.virtual_service_gateways import (
    check_gateways_of_virtual_services,
    check_mesh_gateway_hosts,
)
from pymesh.control.model.document_lines import steps_of


class Analyzer(NamedTuple):
    """`name` is Istio's, where Istio has it."""

    name: str
    description: str
    check: Callable[[AnalyzedMesh], Iterable[Message]]


ANALYZERS = (
    Analyzer(
        "annotations.K8sAnalyzer",
        "Istio's annotations are known, and have a meaning where they are",
        check_annotations,
    ),
    Analyzer(
        "auth.AuthorizationPoliciesAnalyzer",
        "the namespaces that AuthorizationPolicies name are there",
        check_policy_namespaces,
    ),
    Analyzer("auth.PolicyWorkloadsAnalyzer", "AuthorizationPolicies have workloads", check_policy_workloads),
    Analyzer("auth.JwtPortAnalyzer", "ports of workloads that verify JWTs speak HTTP", check_jwt_ports),
    Analyzer(
        "auth.MtlsConflictAnalyzer", "clients send what PeerAuthentications have workloads take", check_mtls_conflicts
    ),
    Analyzer("conditions.ConditionAnalyzer", "no condition of an object is False", check_conditions),
    Analyzer(
        "deployment.MultiServiceAnalyzer",
        "the Services of a workload agree about its ports",
        check_services_of_workloads,
    ),
    Analyzer("deprecation.DeprecationAnalyzer", "no field is deprecated", check_deprecated_fields),
    Analyzer(
        "destinationrule.CaCertificateAnalyzer",
        "servers are verified where TLS mode is SIMPLE or MUTUAL",
        check_ca_certificates,
    ),
    Analyzer(
        "destinationrule.HostAnalyzer",
        "hosts of DestinationRules are services of the mesh",
        check_destination_rule_hosts,
    ),
    Analyzer("destinationrule.SubsetSelectPodAnalyzer", "subsets select workloads", check_subset_labels),
    Analyzer("envoyfilter.EnvoyPatchAnalyzer", "operations of EnvoyFilters fit what they are for", check_envoy_patches),
    Analyzer("gateway.CertificateAnalyzer", "a certificate is that of one Gateway", check_duplicate_certificates),
    Analyzer(
        "gateway.ConflictingGatewayAnalyzer",
        "a host at a port of a workload has one Gateway",
        check_conflicting_gateways,
    ),
    Analyzer("gateway.IngressGatewayPortAnalyzer", "Services of gateways lead to their ports", check_gateway_ports),
    Analyzer(
        "gateway.SecretAnalyzer",
        "Gateways have the Secrets that they name, with the keys",
        check_gateway_credentials,
    ),
    Analyzer("gateway.SelectorAnalyzer", "Gateways have workloads", check_gateway_selectors),
    Analyzer("schema.ValidationAnalyzer", "objects are valid", check_schema),
    Analyzer("service.PortNameAnalyzer", "the names of ports say what they speak", check_port_names),
    Analyzer("serviceentry.Analyzer", "TCP ports of ServiceEntries have addresses", check_addresses),
    Analyzer(
        "serviceentry.ConflictingServiceEntryProtocolAnalyzer",
        "ServiceEntries of one host agree about the protocol of a port",
        check_protocols,
    ),
    Analyzer(
        "sidecar.DefaultSelectorAnalyzer", "a namespace has one Sidecar without a selector", check_default_sidecars
    ),
    Analyzer("sidecar.SelectorAnalyzer", "a workload has one Sidecar that selects it", check_sidecar_selectors),
    Analyzer(
        "telemetry.DefaultSelectorAnalyzer",
        "a namespace has one Telemetry without a selector",
        check_default_telemetries,
    ),
    Analyzer("telemetry.ProviderAnalyzer", "access logs have a provider", check_telemetry_providers),
    Analyzer("telemetry.SelectorAnalyzer", "a workload has one Telemetry that selects it", check_telemetry_selectors),
    Analyzer(
        "virtualservice.ConflictingMeshGatewayHostsAnalyzer",
        "a host has one VirtualService in the mesh",
        check_mesh_gateway_hosts,
    ),
    Analyzer("virtualservice.DelegateAnalyzer", "delegates are there", check_delegates),
    Analyzer(
        "virtualservice.DestinationHostAnalyzer", "destinations are services of the mesh", check_destination_hosts
    ),
    Analyzer("virtualservice.DestinationRuleAnalyzer", "a DestinationRule has the subsets", check_destination_subsets),
    Analyzer(
        "virtualservice.GatewayAnalyzer",
        "gateways are there and have a host of the VirtualService",
        check_gateways_of_virtual_services,
    ),
    Analyzer("virtualservice.GatewayRouteAnalyzer", "rules for a host hold behind gateways, too", check_gateway_routes),
    Analyzer(
        "virtualservice.JWTClaimRouteAnalyzer",
        "JWTs are verified where their claims choose the route",
        check_jwt_claim_routes,
    ),
    Analyzer("virtualservice.RegexAnalyzer", "regexes are valid", check_regexes),
    Analyzer("virtualservice.UnreachableRuleAnalyzer", "every rule and match can be reached", check_unreachable_rules),
)


def analyze(mesh: AnalyzedMesh, analyzers: Iterable[Analyzer] = ANALYZERS) -> list[Message]:
    """All messages, each of them once: the most severe first, then by code, object and text."""
    found: Iterator[Message] = (message for analyzer in analyzers for message in analyzer.check(mesh))
    return sorted(dict.fromkeys(found), key=_order)


def _order(message: Message) -> tuple[int, str, str, list[str], str]:
    path = [f"{step:09}" if isinstance(step, int) else step for step in steps_of(message.path)]
    return (-message.type.level, message.type.code, message.origin, path, message.text)
