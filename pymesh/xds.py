"""The wire between proxies and the control plane: xDS v3 in proto3 JSON over HTTP long-poll.

Two forms share the resources. `POST /v3/discovery:<noun>` is Envoy's REST subscription, one type a poll.
`POST /v3/discovery:delta` is what our own proxies use: the fields of DeltaDiscoveryRequest and DeltaDiscoveryResponse,
several types in one poll, only what changed in the answer. Both are held open until something changed; 304 says that
nothing did.

https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol
"""

from typing import Any

import msgspec

from pymesh.names import CLUSTER_ID, DEFAULT_NAMESPACE, TLS_MODE_LABEL

Resource = dict[str, Any]  # one xDS resource in proto3 JSON, with its "@type"

_PREFIX = "type.googleapis.com/envoy.config."
LISTENER = _PREFIX + "listener.v3.Listener"
ROUTE = _PREFIX + "route.v3.RouteConfiguration"
CLUSTER = _PREFIX + "cluster.v3.Cluster"
ENDPOINT = _PREFIX + "endpoint.v3.ClusterLoadAssignment"
SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"

# In the order in which a proxy must apply them, so that nothing refers to what is not there yet; removals go backwards.
TYPES = (SECRET, CLUSTER, ENDPOINT, ROUTE, LISTENER)

# Envoy's REST paths, by noun.
REST_TYPES = {"listeners": LISTENER, "routes": ROUTE, "clusters": CLUSTER, "endpoints": ENDPOINT, "secrets": SECRET}
SHORT_NAMES = {LISTENER: "LDS", ROUTE: "RDS", CLUSTER: "CDS", ENDPOINT: "EDS", SECRET: "SDS"}

DELTA_PATH = "/v3/discovery:delta"
CERTIFICATE_PATH = "/istio.v1.auth.IstioCertificateService/CreateCertificate"
ROOT_CERTIFICATE_PATH = "/pymesh/v1/root-certificate"
WORKLOADS_PATH = "/pymesh/v1/workloads"
TRACES_PATH = "/v1/traces"  # OTLP/HTTP
METRICS_PATH = "/v1/metrics"  # OTLP/HTTP

# A poll is held this long; a client gives up POLL_GRACE later.
POLL_SECONDS = 20.0
POLL_GRACE = 10.0

# A sidecar renews its workload every LEASE_RENEW seconds; after LEASE_SECONDS without that its endpoint is gone.
LEASE_SECONDS = 5.0
LEASE_RENEW = 1.5

SIDECAR = "sidecar"
ROUTER = "router"

# Istio's interception modes: the application's traffic is sent to the sidecar by the application itself, or redirected
# by the kernel, which then knows where it was meant to go.
INTERCEPTION_NONE = "NONE"
INTERCEPTION_REDIRECT = "REDIRECT"
INTERCEPTION_MODES = (INTERCEPTION_NONE, INTERCEPTION_REDIRECT)


class Upstream(msgspec.Struct, frozen=True):
    """A local TCP port that stands for a service, whose name is as the user gave it: `--upstream 15432=db:5432`."""

    local_port: int
    service: str
    port: int


UNIX_PREFIX = "unix://"


class Address(msgspec.Struct, frozen=True):
    """`host` may be a Unix socket's `unix://PATH`, then with port 0."""

    host: str
    port: int

    @property
    def is_unix(self) -> bool:
        return self.host.startswith(UNIX_PREFIX)

    def __str__(self) -> str:
        if self.is_unix:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class NodeMetadata(msgspec.Struct, frozen=True, rename="upper", omit_defaults=True):
    """What a proxy tells of itself. A real Envoy may send none of it and is then a sidecar without certificate.

    `inbound` and `outbound` are where the sidecar listens, `app_port` where its application does; `port_map` is a
    gateway's `--port-map`, and `unprivileged` says that it may not bind ports below 1024. `interception_mode`: see
    INTERCEPTION_MODES; whatever is not REDIRECT is NONE here.
    """

    name: str = ""
    namespace: str = DEFAULT_NAMESPACE
    workload_name: str = ""
    labels: dict[str, str] = {}
    service_account: str = "default"
    cluster_id: str = CLUSTER_ID
    service: str = ""
    app_port: int = 0
    app_protocol: str = "http"
    inbound: Address | None = None
    outbound: Address | None = None
    upstreams: tuple[Upstream, ...] = ()
    port_map: dict[int, int] = {}
    unprivileged: bool = False
    interception_mode: str = INTERCEPTION_NONE

    @property
    def is_redirected(self) -> bool:
        return self.interception_mode == INTERCEPTION_REDIRECT

    @property
    def has_certificate(self) -> bool:
        return self.labels.get(TLS_MODE_LABEL) == "istio"


class NodeLocality(msgspec.Struct, frozen=True, omit_defaults=True):
    """envoy.config.core.v3.Locality: where a proxy runs."""

    region: str = ""
    zone: str = ""
    sub_zone: str = ""


def parse_node_locality(text: str) -> NodeLocality:
    """`region/zone/sub-zone`; later parts may be missing."""
    return NodeLocality(*text.split("/", 2))


class Node(msgspec.Struct, frozen=True):
    """envoy.config.core.v3.Node; `id` is Istio's `<type>~<ip>~<instance>.<namespace>~<domain>`.

    Unknown fields (a real Envoy sends many) are dropped when it is decoded.
    """

    id: str
    cluster: str = ""
    metadata: NodeMetadata = NodeMetadata()
    locality: NodeLocality = NodeLocality()

    @property
    def type(self) -> str:
        return ROUTER if self.id.startswith("router~") else SIDECAR


class ErrorDetail(msgspec.Struct, frozen=True):
    """google.rpc.Status of a NACK. The message names each rejected resource with the path of its bad field."""

    message: str
    code: int = 3


class DeltaRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """DeltaDiscoveryRequest of one type. All resources of the type are wanted.

    The first poll carries `initial_resource_versions`, what the proxy holds already (from memory or disk). Later polls
    carry the nonce of the last answer, with `error_detail` where it was not accepted.
    """

    type_url: str
    response_nonce: str = ""
    initial_resource_versions: dict[str, str] = {}
    error_detail: ErrorDetail | None = None


class ProxySettings(msgspec.Struct, frozen=True, omit_defaults=True):
    """What MeshConfig's `defaultConfig` says to proxies and no resource has: seconds, None where it says nothing."""

    termination_drain: float | None = None


class DeltaPoll(msgspec.Struct, frozen=True):
    """Body of `POST /v3/discovery:delta`.

    Answered with 200 and a DeltaAnswer, 304, or 410 Gone: the control plane does not know this proxy's nonces (it was
    restarted), and the proxy polls anew with `initial_resource_versions`.
    """

    node: Node
    requests: tuple[DeltaRequest, ...]
    settings: ProxySettings | None = None  # those that the proxy has; None: it knows of none


class DeltaResource(msgspec.Struct, frozen=True):
    """`version` is a hash of the content, so what is published again unchanged is not sent again."""

    name: str
    version: str
    resource: Resource


class DeltaResponse(msgspec.Struct, frozen=True, omit_defaults=True):
    """DeltaDiscoveryResponse of one type."""

    type_url: str
    nonce: str
    resources: tuple[DeltaResource, ...] = ()
    removed_resources: tuple[str, ...] = ()


class DeltaAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """`settings` where the proxy has others."""

    responses: tuple[DeltaResponse, ...]
    settings: ProxySettings | None = None


class CertificateRequest(msgspec.Struct, frozen=True):
    """istio.v1.auth.IstioCertificateRequest: `csr` is PEM. Proof of identity is `Authorization: Bearer <join token>`,
    or, at renewal, the client certificate of the connection."""

    csr: str
    validity_duration: int = 0  # seconds; 0: the CA's default


class CertificateResponse(msgspec.Struct, frozen=True):
    """PEM, leaf first, root last."""

    cert_chain: tuple[str, ...]


class Registration(msgspec.Struct, frozen=True):
    """Body of `PUT /pymesh/v1/workloads/<namespace>/<name>`: registers the workload, renews its lease, updates health.

    `group` is the WorkloadGroup, of the same namespace, whose template completes what stands here; empty: none.
    `DELETE` of the same path ends the lease and answers when every connected proxy has dropped the endpoint.
    """

    service: str
    workload_name: str
    address: str
    port: int  # of the inbound listener
    app_port: int
    app_protocol: str
    service_account: str
    labels: dict[str, str]
    healthy: bool
    locality: str = ""
    group: str = ""


class HttpProbe(msgspec.Struct, frozen=True):
    path: str
    scheme: str  # http or https, whose certificate is not verified
    headers: tuple[tuple[str, str], ...] = ()


class ReadinessProbe(msgspec.Struct, frozen=True):
    """How a WorkloadGroup wants its application asked: by `command`, run beside it, by `http`, by gRPC's health service
    of `grpc_service`, or else by opening a connection. Times in seconds.

    An empty `host` is where the application is said to be.
    """

    port: int = 0  # of a command: none
    host: str = ""
    http: HttpProbe | None = None
    command: tuple[str, ...] = ()
    initial_delay: int = 0
    timeout: int = 1
    period: int = 10
    success_threshold: int = 1
    failure_threshold: int = 3
    grpc_service: str | None = None  # empty: the server as a whole


class RegistrationAnswer(msgspec.Struct, frozen=True):
    """What `PUT` of a registration is answered with; 204 where there is nothing to say."""

    probe: ReadinessProbe | None = None


def type_url_of(resource: Resource) -> str:
    return str(resource["@type"])


def resource_name(resource: Resource) -> str:
    """The name under which a resource is versioned; a ClusterLoadAssignment is named by its cluster."""
    return str(resource["cluster_name"] if resource["@type"] == ENDPOINT else resource["name"])
