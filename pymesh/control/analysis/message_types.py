"""Istio's messages: codes, names and levels of pkg/config/analysis/msg/messages.yaml, with texts of our own.

Those that only a Kubernetes cluster can cause (injection, webhooks, proxy images, several clusters) are left out.
"""

from pymesh.control.analysis.message import Level, MessageType

_ERROR, _WARNING, _INFO = Level.ERROR, Level.WARNING, Level.INFO

DEPRECATED = MessageType("IST0002", "Deprecated", _WARNING, "Deprecated: {}")
REFERENCED_RESOURCE_NOT_FOUND = MessageType(
    "IST0101", "ReferencedResourceNotFound", _ERROR, 'Referenced {} not found: "{}"'
)
SCHEMA_VALIDATION_ERROR = MessageType("IST0106", "SchemaValidationError", _ERROR, "Schema validation error: {}")
MISPLACED_ANNOTATION = MessageType(
    "IST0107", "MisplacedAnnotation", _WARNING, "Misplaced annotation: {} has a meaning only on {}"
)
UNKNOWN_ANNOTATION = MessageType("IST0108", "UnknownAnnotation", _WARNING, "Unknown annotation: {}")
CONFLICTING_MESH_GATEWAY_VIRTUAL_SERVICE_HOSTS = MessageType(
    "IST0109",
    "ConflictingMeshGatewayVirtualServiceHosts",
    _ERROR,
    "The VirtualServices {} of the mesh gateway have host {} in common; sidecars obey only one of them. Merge them "
    "into one.",
)
CONFLICTING_SIDECAR_WORKLOAD_SELECTORS = MessageType(
    "IST0110",
    "ConflictingSidecarWorkloadSelectors",
    _ERROR,
    'The Sidecars {} in namespace "{}" select the same workload "{}", which obeys only one of them.',
)
MULTIPLE_SIDECARS_WITHOUT_WORKLOAD_SELECTORS = MessageType(
    "IST0111",
    "MultipleSidecarsWithoutWorkloadSelectors",
    _ERROR,
    'The Sidecars {} in namespace "{}" have no workload selector; only one of them is in force.',
)
VIRTUAL_SERVICE_DESTINATION_PORT_SELECTOR_REQUIRED = MessageType(
    "IST0112",
    "VirtualServiceDestinationPortSelectorRequired",
    _ERROR,
    'The service "{}" that this VirtualService routes to has several ports ({}). The destination must say which one.',
)
MTLS_POLICY_CONFLICT = MessageType(
    "IST0113",
    "MTLSPolicyConflict",
    _ERROR,
    "For host {} the DestinationRule {} has TLS mode {}, but by PeerAuthentication its workloads have mode {}.",
)
DEPLOYMENT_ASSOCIATED_TO_MULTIPLE_SERVICES = MessageType(
    "IST0116",
    "DeploymentAssociatedToMultipleServices",
    _WARNING,
    "The workload {} is behind several services that use port {} with different protocols: {}",
)
PORT_NAME_IS_NOT_UNDER_NAMING_CONVENTION = MessageType(
    "IST0118",
    "PortNameIsNotUnderNamingConvention",
    _INFO,
    "The port name {} (port: {}, targetPort: {}) does not begin with a protocol (such as http-web), and there is no "
    "appProtocol; the protocol is detected.",
)
JWT_FAILURE_DUE_TO_INVALID_SERVICE_PORT_PREFIX = MessageType(
    "IST0119",
    "JwtFailureDueToInvalidServicePortPrefix",
    _WARNING,
    "A policy with JWTs is for the workloads of Service {}, whose port is not known to speak HTTP "
    "(port: {}, name: {}, protocol: {}, targetPort: {}).",
)
INVALID_REGEXP = MessageType("IST0122", "InvalidRegexp", _WARNING, 'Field "{}" has an invalid regex: "{}" ({})')
INVALID_ANNOTATION = MessageType("IST0125", "InvalidAnnotation", _WARNING, "Invalid annotation {}: {}")
NO_MATCHING_WORKLOADS_FOUND = MessageType(
    "IST0127", "NoMatchingWorkloadsFound", _WARNING, "No workload has the labels that this resource is for: {}"
)
NO_SERVER_CERTIFICATE_VERIFICATION_DESTINATION_LEVEL = MessageType(
    "IST0128",
    "NoServerCertificateVerificationDestinationLevel",
    _WARNING,
    "DestinationRule {} in namespace {} has TLS mode {} and no caCertificates that verify the servers of host {}",
)
NO_SERVER_CERTIFICATE_VERIFICATION_PORT_LEVEL = MessageType(
    "IST0129",
    "NoServerCertificateVerificationPortLevel",
    _WARNING,
    "DestinationRule {} in namespace {} has TLS mode {} and no caCertificates that verify the servers of host {} at "
    "port {}",
)
VIRTUAL_SERVICE_UNREACHABLE_RULE = MessageType(
    "IST0130", "VirtualServiceUnreachableRule", _WARNING, "VirtualService rule {} is not used ({})."
)
VIRTUAL_SERVICE_INEFFECTIVE_MATCH = MessageType(
    "IST0131", "VirtualServiceIneffectiveMatch", _INFO, "VirtualService rule {} match {} is not used ({})."
)
VIRTUAL_SERVICE_HOST_NOT_FOUND_IN_GATEWAY = MessageType(
    "IST0132",
    "VirtualServiceHostNotFoundInGateway",
    _WARNING,
    "None of the hosts {} of VirtualService {} is a host of Gateway {}.",
)
SCHEMA_WARNING = MessageType("IST0133", "SchemaWarning", _WARNING, "Schema validation warning: {}")
SERVICE_ENTRY_ADDRESSES_REQUIRED = MessageType(
    "IST0134",
    "ServiceEntryAddressesRequired",
    _WARNING,
    "A ServiceEntry needs addresses for a port of this protocol: without them, TCP traffic is known by its port only.",
)
DEPRECATED_ANNOTATION = MessageType(
    "IST0135", "DeprecatedAnnotation", _INFO, 'Annotation "{}" is deprecated{} and may lose its effect.'
)
DEPLOYMENT_CONFLICTING_PORTS = MessageType(
    "IST0137",
    "DeploymentConflictingPorts",
    _WARNING,
    'The workload {} is behind the services {}, which lead to its port "{}" from different ports: {}.',
)
GATEWAY_DUPLICATE_CERTIFICATE = MessageType(
    "IST0138",
    "GatewayDuplicateCertificate",
    _WARNING,
    "The gateways {} have the same certificate: HTTP/2 clients that reuse a connection may get 404.",
)
INGRESS_ROUTE_RULES_NOT_AFFECTED = MessageType(
    "IST0140",
    "IngressRouteRulesNotAffected",
    _WARNING,
    "The subsets of VirtualService {} have no effect on requests that come by the gateway of VirtualService {}",
)
CONFLICTING_GATEWAYS = MessageType(
    "IST0145", "ConflictingGateways", _ERROR, "Conflict with gateways {} (workload selector {}, port {}, hosts {})."
)
JWT_CLAIM_BASED_ROUTING_WITHOUT_REQUEST_AUTHN = MessageType(
    "IST0149",
    "JwtClaimBasedRoutingWithoutRequestAuthN",
    _ERROR,
    "The VirtualService routes by a JWT's claims (key: {}), but no RequestAuthentication is for the workload {} of "
    "gateway {}, so that nobody verifies the JWT.",
)
EXTERNAL_NAME_SERVICE_TYPE_INVALID_PORT_NAME = MessageType(
    "IST0150",
    "ExternalNameServiceTypeInvalidPortName",
    _WARNING,
    "The port's name is not one for an ExternalName Service: TCP traffic to it may not be forwarded",
)
ENVOY_FILTER_USES_RELATIVE_OPERATION = MessageType(
    "IST0151",
    "EnvoyFilterUsesRelativeOperation",
    _WARNING,
    "This EnvoyFilter has a relative operation and no priority, so that it may not be applied. Set the priority, or "
    "use INSERT_FIRST or ADD.",
)
ENVOY_FILTER_USES_REPLACE_OPERATION_INCORRECTLY = MessageType(
    "IST0152",
    "EnvoyFilterUsesReplaceOperationIncorrectly",
    _ERROR,
    "REPLACE is an operation for HTTP_FILTER and NETWORK_FILTER only.",
)
ENVOY_FILTER_USES_ADD_OPERATION_INCORRECTLY = MessageType(
    "IST0153",
    "EnvoyFilterUsesAddOperationIncorrectly",
    _ERROR,
    "ADD has no effect with applyTo ROUTE_CONFIGURATION or HTTP_ROUTE.",
)
ENVOY_FILTER_USES_REMOVE_OPERATION_INCORRECTLY = MessageType(
    "IST0154",
    "EnvoyFilterUsesRemoveOperationIncorrectly",
    _ERROR,
    "REMOVE has no effect with applyTo ROUTE_CONFIGURATION or HTTP_ROUTE.",
)
ENVOY_FILTER_USES_RELATIVE_OPERATION_WITH_PROXY_VERSION = MessageType(
    "IST0155",
    "EnvoyFilterUsesRelativeOperationWithProxyVersion",
    _WARNING,
    "This EnvoyFilter has a relative operation, a proxyVersion and no priority, so that it may not be applied during "
    "an upgrade. Set the priority, or use INSERT_FIRST or ADD.",
)
INVALID_TELEMETRY_PROVIDER = MessageType(
    "IST0157",
    "InvalidTelemetryProvider",
    _WARNING,
    'The accessLogging of Telemetry {} in namespace "{}" names no provider, and MeshConfig has no default: it is '
    "ignored.",
)
CONFLICTING_TELEMETRY_WORKLOAD_SELECTORS = MessageType(
    "IST0159",
    "ConflictingTelemetryWorkloadSelectors",
    _ERROR,
    'The Telemetries {} in namespace "{}" select the same workload "{}", which obeys only one of them.',
)
MULTIPLE_TELEMETRIES_WITHOUT_WORKLOAD_SELECTORS = MessageType(
    "IST0160",
    "MultipleTelemetriesWithoutWorkloadSelectors",
    _ERROR,
    'The Telemetries {} in namespace "{}" have no workload selector; only one of them is in force.',
)
INVALID_GATEWAY_CREDENTIAL = MessageType(
    "IST0161",
    "InvalidGatewayCredential",
    _ERROR,
    "The Secret {} to which Gateway {} in namespace {} refers is no usable credential: {}",
)
GATEWAY_PORT_NOT_DEFINED_ON_SERVICE = MessageType(
    "IST0162",
    "GatewayPortNotDefinedOnService",
    _WARNING,
    "No Service of the gateway's workloads leads to port {} (workload selector {}): it cannot be reached by a Service.",
)
NEGATIVE_CONDITION_STATUS = MessageType(
    "IST0171", "NegativeConditionStatus", _WARNING, "A condition is False: type={}, reason={}, message={}."
)
DESTINATION_RULE_SUBSET_NOT_SELECT_PODS = MessageType(
    "IST0173",
    "DestinationRuleSubsetNotSelectPods",
    _ERROR,
    "The subset {} of the DestinationRule selects no workload: requests to it end with 503 UH.",
)
UNKNOWN_DESTINATION_RULE_HOST = MessageType(
    "IST0174", "UnknownDestinationRuleHost", _WARNING, "The host {} of the DestinationRule is no service of the mesh."
)
CONFLICTING_SERVICE_ENTRY_PROTOCOL = MessageType(
    "IST0177",
    "ConflictingServiceEntryProtocol",
    _WARNING,
    "Port {} of host {} has protocol {} here and another in ServiceEntry {}: only one of them holds.",
)
