"""The names that Istio gives to hosts, clusters and identities. Pure string functions; nothing is looked up."""

from typing import NamedTuple

DEFAULT_DOMAIN = "cluster.local"
DEFAULT_NAMESPACE = "default"
ROOT_NAMESPACE = "istio-system"
CLUSTER_ID = "pymesh"

PASSTHROUGH_CLUSTER = "PassthroughCluster"
BLACK_HOLE_CLUSTER = "BlackHoleCluster"
INBOUND_PASSTHROUGH_CLUSTER = "InboundPassthroughCluster"

# The cluster that a real Envoy's bootstrap must define for our control plane, as the config sources in our resources
# refer to it.
XDS_CLUSTER = "pymesh-control"

VIRTUAL_INBOUND = "virtualInbound"
VIRTUAL_OUTBOUND = "virtualOutbound"
HTTP_PROXY = "http_proxy"

# In a VirtualService: all sidecars.
MESH_GATEWAY = "mesh"

# An endpoint or a proxy with this label set to "istio" speaks mTLS with a certificate of the mesh CA.
TLS_MODE_LABEL = "security.istio.io/tlsMode"
CANONICAL_NAME_LABEL = "service.istio.io/canonical-name"
CANONICAL_REVISION_LABEL = "service.istio.io/canonical-revision"

# Labels that name a workload's service and version where the canonical ones are absent.
APP_LABEL = "app"
VERSION_LABEL = "version"

# Annotations of a WorkloadEntry that a sidecar registered, and the label of a Service that the registry declared.
SERVICE_ANNOTATION = "pymesh.dev/service"
INBOUND_PORT_ANNOTATION = "pymesh.dev/inbound-port"
APP_PORT_ANNOTATION = "pymesh.dev/app-port"
APP_PROTOCOL_ANNOTATION = "pymesh.dev/app-protocol"
WORKLOAD_NAME_ANNOTATION = "pymesh.dev/workload-name"
LEASE_ANNOTATION = "pymesh.dev/lease"
GROUP_ANNOTATION = "istio.io/autoRegistrationGroup"  # Istio's: the WorkloadGroup that it was made after
MANAGED_BY_LABEL = "pymesh.dev/managed-by"
MANAGED_BY_REGISTRY = "registry"

# On an EndpointSlice: the Service whose endpoints it has (Kubernetes' label).
SERVICE_NAME_LABEL = "kubernetes.io/service-name"
# On an EndpointSlice: who wrote it; in Kubernetes the controller did for Services with a selector.
SLICE_MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by"
SLICE_CONTROLLER = "endpointslice-controller.k8s.io"

# On a Service: the namespaces that see it (Istio's annotation).
EXPORT_TO_ANNOTATION = "networking.istio.io/exportTo"

# On a Service or ServiceEntry: which endpoints clients prefer, before what a Service's trafficDistribution says.
TRAFFIC_DISTRIBUTION_ANNOTATION = "networking.istio.io/traffic-distribution"
HOSTNAME_LABEL = "kubernetes.io/hostname"

# Keys of `filter_metadata` in endpoints and clusters.
ISTIO_METADATA = "istio"
TRANSPORT_SOCKET_MATCH = "envoy.transport_socket_match"
REGION_LABEL = "topology.kubernetes.io/region"
ZONE_LABEL = "topology.kubernetes.io/zone"
SUB_ZONE_LABEL = "topology.istio.io/subzone"
LOCALITY_LABELS = (REGION_LABEL, ZONE_LABEL, SUB_ZONE_LABEL)  # as failoverPriority names the parts of a locality
LB_METADATA = "envoy.lb"  # what subsets of a cluster are made of
TLS_MODE = "tlsMode"

# SDS names of the workload's own certificate and of the roots that it trusts; a gateway's credentials have a prefix.
OWN_CERTIFICATE = "default"
ROOT_CA = "ROOTCA"
CREDENTIAL_PREFIX = "kubernetes://"
CA_CREDENTIAL_SUFFIX = "-cacert"

# The header by which a proxy tells the next one, over mTLS, whose workload sends the request.
PEER_METADATA = b"x-envoy-peer-metadata"

# ALPN by which a mesh peer is known on a port that also takes plaintext and foreign TLS.
MESH_ALPN = ("istio-peer-exchange", "istio")
# That by which its proxy says besides that it is HTTP inside.
MESH_HTTP_ALPN = ("istio-http/1.0", "istio-http/1.1", "istio-h2")
HTTP2_ALPN = "h2"


class ClusterName(NamedTuple):
    """`outbound|80|v1|payment.default.svc.cluster.local`; for `inbound|8001||`, subset and host are empty."""

    direction: str
    port: int
    subset: str
    host: str

    def __str__(self) -> str:
        return f"{self.direction}|{self.port}|{self.subset}|{self.host}"


def outbound_cluster(host: str, port: int, subset: str = "") -> str:
    return f"outbound|{port}|{subset}|{host}"


def inbound_cluster(port: int) -> str:
    return f"inbound|{port}||"


def parse_cluster(name: str) -> ClusterName | None:
    """The parts of an Istio cluster name; None for names such as BlackHoleCluster."""
    parts = name.split("|")
    if len(parts) != 4 or not parts[1].isdigit():
        return None
    return ClusterName(parts[0], int(parts[1]), parts[2], parts[3])


def cluster_sni(host: str, port: int, subset: str = "") -> str:
    """The SNI of an mTLS connection to a cluster: `outbound_.80_.v1_.payment.default.svc.cluster.local`."""
    return f"outbound_.{port}_.{subset}_.{host}"


def service_fqdn(name: str, namespace: str, domain: str = DEFAULT_DOMAIN) -> str:
    return f"{name}.{namespace}.svc.{domain}"


def resolve_host(host: str, namespace: str, domain: str = DEFAULT_DOMAIN) -> str:
    """A short name is completed in the namespace of the rule that uses it; `*`, IPs and dotted names stay.

    Istio: ResolveShortnameToFQDN in pilot/pkg/model/config.go.
    """
    return host if "." in host or ":" in host or host == "*" else service_fqdn(host, namespace, domain)


def resolve_gateway(name: str, namespace: str) -> str:
    """A gateway as a VirtualService names it, as `namespace/name`; `mesh`, which stands for all sidecars, stays.

    `gw` and `./gw` are in the rule's namespace. Of the old form `gw.ns.svc.cluster.local` the first two labels count.
    Istio: resolveGatewayName in pilot/pkg/model/virtualservice.go.
    """
    if name == MESH_GATEWAY:
        return name
    if "/" in name:
        owner, _, short = name.partition("/")
        return f"{namespace if owner == '.' else owner}/{short}"
    if "." not in name:
        return f"{namespace}/{name}"
    short, owner, *_ = name.split(".")
    return f"{owner}/{short}"
