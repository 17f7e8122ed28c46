"""Decision: what becomes of a call.

Its JSON (`to_json`) has these fields; what does not apply is null.

listener, filter_chain, route_config, virtual_host, route: names. `route` is that of the VirtualService's rule,
    `default` where no VirtualService speaks of the host.
cluster, subset: the cluster that was chosen, and the subset in its name.
weights: of a route with several clusters, cluster -> weight.
endpoints: a list of `ip:port`, or `name:port` where DNS is to be asked; empty where there is none.
rewritten: {method, authority, path}, as the endpoint sees them.
redirect: {code, location}. direct_response: {status, body}.
fault: {delay: {fixed_delay, percentage}, abort: {http_status, grpc_status, percentage}}, the parts that strike.
timeout: `15s`; null is none. retries: {attempts, per_try_timeout, retry_on: words and status codes, `5xx,reset,503`}.
mirrors: a list of {cluster, percentage}.
request_headers: name -> value, as the endpoint gets them. response_headers: name -> value that the route sets; a name
    that it removes has null.
inbound: at the workload that is called, {mtls: mutual_tls | none | rejected, authn: ALLOW | DENY | NONE, of the token
    (NONE: there is none, or nothing asks for one), authz: {verdict: ALLOW | DENY, policy}, request_principal:
    `issuer/subject` of the token, reason: why the token was refused}. `policy` is Istio's name of the deciding rule.
error: one of ERRORS; null where the call arrives; rbac_denied also for a refused token: then authn is DENY and authz
    null. A redirect, a direct response or a fault is no error.
"""

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import msgspec

from pymesh.control.model.resource import Key
from pymesh.names import parse_cluster

NO_LISTENER = "no_listener"
NO_FILTER_CHAIN = "no_filter_chain"
NO_VIRTUAL_HOST = "no_virtual_host"
NO_ROUTE = "no_route"
TLS_REDIRECT = "tls_redirect"
TLS_ERROR = "tls_error"
MTLS_ERROR = "mtls_error"
PROTOCOL_ERROR = "protocol_error"
CLUSTER_NOT_FOUND = "cluster_not_found"
RBAC_DENIED = "rbac_denied"
ERRORS = (
    NO_LISTENER,
    NO_FILTER_CHAIN,
    NO_VIRTUAL_HOST,
    NO_ROUTE,
    TLS_REDIRECT,
    TLS_ERROR,
    MTLS_ERROR,
    PROTOCOL_ERROR,
    CLUSTER_NOT_FOUND,
    RBAC_DENIED,
)


class Destination(NamedTuple):
    host: str
    subset: str | None
    port: int


@dataclass(frozen=True, slots=True)
class Rewritten:
    method: str
    authority: str
    path: str


@dataclass(frozen=True, slots=True)
class Redirect:
    code: int
    location: str


@dataclass(frozen=True, slots=True)
class DirectResponse:
    status: int
    body: str


@dataclass(frozen=True, slots=True)
class Delay:
    fixed_delay: str
    percentage: float


@dataclass(frozen=True, slots=True)
class Abort:
    http_status: int | None
    grpc_status: int | None
    percentage: float


@dataclass(frozen=True, slots=True)
class FaultInjection:
    delay: Delay | None = None
    abort: Abort | None = None


@dataclass(frozen=True, slots=True)
class Retries:
    attempts: int
    per_try_timeout: str | None
    retry_on: str


@dataclass(frozen=True, slots=True)
class MirrorTarget:
    cluster: str
    percentage: float


@dataclass(frozen=True, slots=True)
class Authorization:
    verdict: str
    policy: str | None = None


@dataclass(frozen=True, slots=True)
class Inbound:
    """Null verdicts: it did not come so far."""

    mtls: str
    authn: str | None = None
    authz: Authorization | None = None
    request_principal: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """Where in an object the route stands that was taken: `http[0].match[1]` of a VirtualService."""

    key: Key
    path: str


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """`rule`, `inbound_decision`, `denying` (policies without rules that denied it) and `authentications` (what had a
    say on mTLS and tokens) are not part of the JSON."""

    listener: str | None = None
    filter_chain: str | None = None
    route_config: str | None = None
    virtual_host: str | None = None
    route: str | None = None
    cluster: str | None = None
    subset: str | None = None
    weights: dict[str, int] | None = None
    endpoints: tuple[str, ...] | None = None
    rewritten: Rewritten | None = None
    redirect: Redirect | None = None
    direct_response: DirectResponse | None = None
    fault: FaultInjection | None = None
    timeout: str | None = None
    retries: Retries | None = None
    mirrors: tuple[MirrorTarget, ...] | None = None
    request_headers: dict[str, str] | None = None
    response_headers: dict[str, str | None] | None = None
    inbound: Inbound | None = None
    error: str | None = None
    rule: Rule | None = None
    inbound_decision: "Decision | None" = None
    denying: tuple[Key, ...] = ()
    authentications: tuple[Rule, ...] = ()

    @property
    def destination(self) -> Destination | None:
        """What the cluster stands for; None for clusters such as PassthroughCluster."""
        parsed = parse_cluster(self.cluster) if self.cluster is not None else None
        if parsed is None or parsed.direction != "outbound":
            return None
        return Destination(parsed.host, parsed.subset or None, parsed.port)

    def to_json(self) -> dict[str, Any]:
        return {name: _plain(getattr(self, name)) for name in self.__struct_fields__ if name not in _INTERNAL}


_INTERNAL = ("rule", "inbound_decision", "denying", "authentications")


def _plain(value: Any) -> Any:
    if hasattr(value, "__dataclass_fields__"):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
