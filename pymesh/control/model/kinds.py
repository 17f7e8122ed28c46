"""The kind table: what each kind is called in files, in URLs and on the command line, and the type of its spec."""

from typing import NamedTuple

from pymesh.control.model.destination_rule import DestinationRule
from pymesh.control.model.gateway import Gateway
from pymesh.control.model.messages import Message
from pymesh.control.model.peer_authentication import PeerAuthentication
from pymesh.control.model.secret import Secret
from pymesh.control.model.service import Service
from pymesh.control.model.service_entry import ServiceEntry
from pymesh.control.model.virtual_service import VirtualService
from pymesh.control.model.workload_entry import WorkloadEntry

CORE = ""
NETWORKING = "networking.istio.io"
SECURITY = "security.istio.io"

_NETWORKING_VERSIONS = ("v1", "v1beta1", "v1alpha3")


class Kind(NamedTuple):
    """`versions` are served of the same object, the preferred one first. `is_inline`: the object has no `spec`; the
    fields of `spec_type` stand beside `metadata` (Secret)."""

    name: str
    group: str
    versions: tuple[str, ...]
    plural: str
    singular: str
    short_names: tuple[str, ...]
    spec_type: type[Message]
    is_inline: bool = False

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
PEER_AUTHENTICATION = Kind(
    "PeerAuthentication",
    SECURITY,
    ("v1", "v1beta1"),
    "peerauthentications",
    "peerauthentication",
    ("pa",),
    PeerAuthentication,
)
SERVICE = Kind("Service", CORE, ("v1",), "services", "service", ("svc",), Service)
SECRET = Kind("Secret", CORE, ("v1",), "secrets", "secret", (), Secret, is_inline=True)

KINDS = (
    VIRTUAL_SERVICE,
    DESTINATION_RULE,
    GATEWAY,
    SERVICE_ENTRY,
    WORKLOAD_ENTRY,
    PEER_AUTHENTICATION,
    SERVICE,
    SECRET,
)

_BY_PLURAL = {(kind.group, kind.plural): kind for kind in KINDS}
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
    return next((kind for kind in KINDS if kind.name == name and kind.serves(api_version)), None)


def kind_at(group: str, version: str, plural: str) -> Kind | None:
    """The kind that a URL means."""
    kind = _BY_PLURAL.get((group, plural))
    return kind if kind is not None and version in kind.versions else None
