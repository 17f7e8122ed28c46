"""AuthorizationPolicy: who may call a workload, and how.

https://istio.io/latest/docs/reference/config/security/authorization-policy/
"""

from collections.abc import Mapping
from typing import Literal

from pymesh.control.model.messages import Message, WorkloadSelector
from pymesh.control.model.targets import PolicyTargetReference

Action = Literal["ALLOW", "DENY", "AUDIT", "CUSTOM"]


class Source(Message):
    """All that is set must hold; of a list one value is enough. `abc*`, `*abc` and `*` (present) are patterns."""

    principals: tuple[str, ...] = ()
    """Peer identities by mTLS: `cluster.local/ns/NAMESPACE/sa/ACCOUNT`."""
    not_principals: tuple[str, ...] = ()
    """Peer identities that do not match."""
    request_principals: tuple[str, ...] = ()
    """Identities by JWT: `ISSUER/SUBJECT`."""
    not_request_principals: tuple[str, ...] = ()
    """Identities by JWT that do not match."""
    namespaces: tuple[str, ...] = ()
    """Namespaces of the peer, by mTLS."""
    not_namespaces: tuple[str, ...] = ()
    """Namespaces of the peer that do not match."""
    ip_blocks: tuple[str, ...] = ()
    """Addresses or CIDR blocks of the connection's other end."""
    not_ip_blocks: tuple[str, ...] = ()
    """Addresses of the connection's other end that do not match."""
    remote_ip_blocks: tuple[str, ...] = ()
    """Addresses or CIDR blocks of the client, by X-Forwarded-For or the PROXY protocol."""
    not_remote_ip_blocks: tuple[str, ...] = ()
    """Addresses of the client that do not match."""
    service_accounts: tuple[str, ...] = ()
    """Service accounts of the peer, by mTLS: `ACCOUNT` (own namespace) or `NAMESPACE/ACCOUNT`; no patterns."""
    not_service_accounts: tuple[str, ...] = ()
    """Service accounts of the peer that do not match."""
    trust_domains: tuple[str, ...] = ()
    """Trust domains of the peer, by mTLS."""
    not_trust_domains: tuple[str, ...] = ()
    """Trust domains of the peer that do not match."""


class From(Message):
    source: Source | None = None
    """Where the request comes from."""


class Operation(Message):
    """All that is set must hold; of a list one value is enough. `abc*`, `*abc` and `*` (present) are patterns."""

    hosts: tuple[str, ...] = ()
    """Hosts of the request, in any case."""
    not_hosts: tuple[str, ...] = ()
    """Hosts that do not match."""
    ports: tuple[str, ...] = ()
    """Ports of the workload that are called."""
    not_ports: tuple[str, ...] = ()
    """Ports that do not match."""
    methods: tuple[str, ...] = ()
    """HTTP methods."""
    not_methods: tuple[str, ...] = ()
    """HTTP methods that do not match."""
    paths: tuple[str, ...] = ()
    """Paths without the query; `{*}` stands for one segment and `{**}` for any number of them."""
    not_paths: tuple[str, ...] = ()
    """Paths that do not match."""


class To(Message):
    operation: Operation | None = None
    """What is called."""


class Condition(Message):
    key: str = ""
    """An attribute, as `request.headers[NAME]`, `source.ip`, `connection.sni`, `request.auth.claims[NAME]`."""
    values: tuple[str, ...] = ()
    """Values of the attribute, one of which must match."""
    not_values: tuple[str, ...] = ()
    """Values of the attribute, none of which may match."""


class Rule(Message):
    """from, to and when must all hold; an empty rule matches everything."""

    from_: tuple[From, ...] = ()
    """Sources, one of which must match."""
    to: tuple[To, ...] = ()
    """Operations, one of which must match."""
    when: tuple[Condition, ...] = ()
    """Further conditions, all of which must hold."""


class ExtensionProvider(Message):
    name: str = ""
    """Name of an extension provider of MeshConfig."""


class AuthorizationPolicy(Message):
    """CUSTOM is asked first, then DENY, then ALLOW; where there is an ALLOW policy, what no ALLOW matches is denied."""

    selector: WorkloadSelector | None = None
    """Labels of the workloads that obey; all of the namespace where it is absent, of the mesh in the root namespace."""
    target_ref: PolicyTargetReference | None = None
    """The older form of targetRefs."""
    target_refs: tuple[PolicyTargetReference, ...] = ()
    """Gateways of the Gateway API, or services, that obey."""
    rules: tuple[Rule, ...] = ()
    """Requests that the action is for. None: an ALLOW policy allows nothing."""
    action: Action = "ALLOW"
    """What becomes of a request that a rule matches."""
    provider: ExtensionProvider | None = None
    """Who decides, with action CUSTOM."""


DRY_RUN = "istio.io/dry-run"
_TRUE = ("1", "t", "T", "true", "TRUE", "True")  # Go's strconv.ParseBool
_FALSE = ("0", "f", "F", "false", "FALSE", "False")
DRY_RUN_VALUES = (*_TRUE, *_FALSE)


def is_dry_run(annotations: Mapping[str, str]) -> bool:
    """Of a policy that is only tried: what it would deny is counted and passes."""
    return annotations.get(DRY_RUN) in _TRUE
