"""What a Permission or a Principal of envoy.config.rbac.v3 says: a tree of conditions. Frozen values, no behaviour."""

from dataclasses import dataclass

from pymesh.proxy.matchers.header_matcher import HeaderMatcher
from pymesh.proxy.matchers.metadata_matcher import MetadataMatcher
from pymesh.proxy.matchers.string_matcher import StringMatcher

# Of source addresses: that of the connection's other end, and that of the client as far as it is known.
DIRECT, REMOTE, DESTINATION = "direct_remote_ip", "remote_ip", "destination_ip"


@dataclass(frozen=True, slots=True)
class AllOf:
    rules: tuple["Rule", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    rules: tuple["Rule", ...]


@dataclass(frozen=True, slots=True)
class Not:
    rule: "Rule"


@dataclass(frozen=True, slots=True)
class Always:
    """Whatever the call."""


@dataclass(frozen=True, slots=True)
class Header:
    matcher: HeaderMatcher


@dataclass(frozen=True, slots=True)
class UrlPath:
    """Of the path without its query."""

    matcher: StringMatcher


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """`*` stands for one segment, `**` for any number of them; the path is without its query."""

    template: str


@dataclass(frozen=True, slots=True)
class Ip:
    """`which` is DIRECT, REMOTE or DESTINATION; `network` is as `10.0.0.0/8`."""

    which: str
    network: str


@dataclass(frozen=True, slots=True)
class DestinationPort:
    """start <= port < end."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class RequestedServerName:
    matcher: StringMatcher


@dataclass(frozen=True, slots=True)
class Authenticated:
    """By a client certificate: the URIs in it, else its DNS names, else its subject; any where there is no `name`."""

    name: StringMatcher | None = None


@dataclass(frozen=True, slots=True)
class Metadata:
    matcher: MetadataMatcher


Rule = (
    AllOf
    | AnyOf
    | Not
    | Always
    | Header
    | UrlPath
    | PathTemplate
    | Ip
    | DestinationPort
    | RequestedServerName
    | Authenticated
    | Metadata
)


@dataclass(frozen=True, slots=True)
class Policy:
    """It matches a call for which one permission and one principal hold."""

    permissions: tuple[Rule, ...]
    principals: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Rbac:
    """`action` is ALLOW, DENY or LOG; policies are asked in the order of their names, as Envoy keeps them."""

    action: str
    policies: tuple[tuple[str, Policy], ...] = ()
