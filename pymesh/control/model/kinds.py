"""The kind table: what each kind is called in files, in URLs and on the command line, and the type of its spec."""

from typing import NamedTuple

from pymesh.control.model.authorization_policy import AuthorizationPolicy
from pymesh.control.model.core import ConfigMap, Namespace, ServiceAccount
from pymesh.control.model.destination_rule import DestinationRule
from pymesh.control.model.endpoints import Endpoints, EndpointSlice
from pymesh.control.model.envoy_filter import EnvoyFilter
from pymesh.control.model.gateway import Gateway
from pymesh.control.model.messages import Message
from pymesh.control.model.peer_authentication import PeerAuthentication
from pymesh.control.model.proxy_config import ProxyConfig
from pymesh.control.model.request_authentication import RequestAuthentication
from pymesh.control.model.secret import Secret
from pymesh.control.model.service import Service
from pymesh.control.model.service_entry import ServiceEntry
from pymesh.control.model.sidecar import Sidecar
from pymesh.control.model.telemetry import Telemetry
from pymesh.control.model.virtual_service import VirtualService
from pymesh.control.model.wasm_plugin import WasmPlugin
from pymesh.control.model.workload_entry import WorkloadEntry
from pymesh.control.model.workload_group import WorkloadGroup

CORE = ""
DISCOVERY = "discovery.k8s.io"
NETWORKING = "networking.istio.io"
SECURITY = "security.istio.io"
TELEMETRY_GROUP = "telemetry.istio.io"
EXTENSIONS = "extensions.istio.io"

_NETWORKING_VERSIONS = ("v1", "v1beta1", "v1alpha3")
_SECURITY_VERSIONS = ("v1", "v1beta1")


class Kind(NamedTuple):
    """`versions` are served of the same object, the preferred one first. `is_inline`: the object has no `spec`; the
    fields of `spec_type` stand beside `metadata` (Secret). Without `is_namespaced`, its namespace is empty."""

    name: str
    group: str
    versions: tuple[str, ...]
    plural: str
    singular: str
    short_names: tuple[str, ...]
    spec_type: type[Message]
    is_inline: bool = False
    is_namespaced: bool = True

    def __repr__(self) -> str:
        return f"<Kind {self.resource_name}>"

    @property
    def api_version(self) -> str:
        """As files write the preferred version: `networking.istio.io/v1`, or `v1` of the core group."""
        return f"{self.group}/{self.versions[0]}" if self.group else self.versions[0]

    @property
    def resource_name(self) -> str:
        """As kubectl prints it: `virtualservice.networking.istio.io`, or `service` of the core group."""
        return f"{self.singular}.{self.group}" if self.group else self.singular

    def serves(self, api_version: str) -> bool:
        group, _, version = api_version.rpartition("/")
        return group == self.group and version in self.versions


VIRTUAL_SERVICE = Kind(
    "VirtualService",
    NETWORKING,
    _NETWORKING_VERSIONS,
    "virtualservices",
    "virtualservice",
    ("vs",),
    VirtualService,
)
DESTINATION_RULE = Kind(
    "DestinationRule",
    NETWORKING,
    _NETWORKING_VERSIONS,
    "destinationrules",
    "destinationrule",
    ("dr",),
    DestinationRule,
)
GATEWAY = Kind("Gateway", NETWORKING, _NETWORKING_VERSIONS, "gateways", "gateway", ("gw",), Gateway)
SERVICE_ENTRY = Kind(
    "ServiceEntry",
    NETWORKING,
    _NETWORKING_VERSIONS,
    "serviceentries",
    "serviceentry",
    ("se",),
    ServiceEntry,
)
WORKLOAD_ENTRY = Kind(
    "WorkloadEntry",
    NETWORKING,
    _NETWORKING_VERSIONS,
    "workloadentries",
    "workloadentry",
    ("we",),
    WorkloadEntry,
)
WORKLOAD_GROUP = Kind(
    "WorkloadGroup",
    NETWORKING,
    _NETWORKING_VERSIONS,
    "workloadgroups",
    "workloadgroup",
    ("wg",),
    WorkloadGroup,
)
SIDECAR = Kind("Sidecar", NETWORKING, _NETWORKING_VERSIONS, "sidecars", "sidecar", (), Sidecar)
PROXY_CONFIG = Kind("ProxyConfig", NETWORKING, ("v1beta1",), "proxyconfigs", "proxyconfig", (), ProxyConfig)
ENVOY_FILTER = Kind("EnvoyFilter", NETWORKING, ("v1alpha3",), "envoyfilters", "envoyfilter", (), EnvoyFilter)
PEER_AUTHENTICATION = Kind(
    "PeerAuthentication",
    SECURITY,
    _SECURITY_VERSIONS,
    "peerauthentications",
    "peerauthentication",
    ("pa",),
    PeerAuthentication,
)
REQUEST_AUTHENTICATION = Kind(
    "RequestAuthentication",
    SECURITY,
    _SECURITY_VERSIONS,
    "requestauthentications",
    "requestauthentication",
    ("ra",),
    RequestAuthentication,
)
AUTHORIZATION_POLICY = Kind(
    "AuthorizationPolicy",
    SECURITY,
    _SECURITY_VERSIONS,
    "authorizationpolicies",
    "authorizationpolicy",
    ("ap",),
    AuthorizationPolicy,
)
TELEMETRY = Kind(
    "Telemetry", TELEMETRY_GROUP, ("v1", "v1alpha1"), "telemetries", "telemetry", ("telemetry",), Telemetry
)
WASM_PLUGIN = Kind("WasmPlugin", EXTENSIONS, ("v1alpha1",), "wasmplugins", "wasmplugin", (), WasmPlugin)
SERVICE = Kind("Service", CORE, ("v1",), "services", "service", ("svc",), Service)
ENDPOINTS = Kind("Endpoints", CORE, ("v1",), "endpoints", "endpoints", ("ep",), Endpoints, is_inline=True)
ENDPOINT_SLICE = Kind(
    "EndpointSlice", DISCOVERY, ("v1",), "endpointslices", "endpointslice", (), EndpointSlice, is_inline=True
)
SECRET = Kind("Secret", CORE, ("v1",), "secrets", "secret", (), Secret, is_inline=True)
CONFIG_MAP = Kind("ConfigMap", CORE, ("v1",), "configmaps", "configmap", ("cm",), ConfigMap, is_inline=True)
NAMESPACE = Kind("Namespace", CORE, ("v1",), "namespaces", "namespace", ("ns",), Namespace, is_namespaced=False)
SERVICE_ACCOUNT = Kind(
    "ServiceAccount", CORE, ("v1",), "serviceaccounts", "serviceaccount", ("sa",), ServiceAccount, is_inline=True
)

KINDS = (
    VIRTUAL_SERVICE,
    DESTINATION_RULE,
    GATEWAY,
    SERVICE_ENTRY,
    WORKLOAD_ENTRY,
    WORKLOAD_GROUP,
    SIDECAR,
    PROXY_CONFIG,
    ENVOY_FILTER,
    PEER_AUTHENTICATION,
    REQUEST_AUTHENTICATION,
    AUTHORIZATION_POLICY,
    TELEMETRY,
    WASM_PLUGIN,
    SERVICE,
    ENDPOINTS,
    ENDPOINT_SLICE,
    SECRET,
    CONFIG_MAP,
    NAMESPACE,
    SERVICE_ACCOUNT,
)

_BY_PLURAL = {(kind.group, kind.plural): kind for kind in KINDS}
_BY_NAME = {kind.name: kind for kind in KINDS}
_BY_WORD = {
    word.lower(): kind
    for kind in KINDS
    for name in (kind.name, kind.plural, kind.singular, *kind.short_names)
    for word in (name, f"{name}.{kind.group}")
}


def kind_named(word: str) -> Kind | None:
    """The kind that a user means: `vs`, `virtualservices`, `VirtualService`, `virtualservice.networking.istio.io`."""
    return _BY_WORD.get(word.lower())


def kind_of(api_version: str, name: str) -> Kind | None:
    """The kind that a file means with `apiVersion` and `kind`; None where the group or the version is not served."""
    kind = _BY_NAME.get(name)
    return kind if kind is not None and kind.serves(api_version) else None


def kind_at(group: str, version: str, plural: str) -> Kind | None:
    """The kind that a URL means."""
    kind = _BY_PLURAL.get((group, plural))
    return kind if kind is not None and version in kind.versions else None
