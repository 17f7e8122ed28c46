"""VirtualService: how requests to a host are routed.

https://istio.io/latest/docs/reference/config/networking/virtual-service/
"""

from typing import Literal

from pymesh.control.model.messages import Destination, Message, Percent, StringMatch

Bytes = bytes

# By number. https://grpc.github.io/grpc/core/md_doc_statuscodes.html
GRPC_STATUSES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)


class HeaderOperations(Message):
    set: dict[str, str] = {}
    add: dict[str, str] = {}
    remove: tuple[str, ...] = ()


class Headers(Message):
    request: HeaderOperations | None = None
    response: HeaderOperations | None = None


class HTTPMatchRequest(Message):
    """All that is set must hold."""

    name: str = ""
    uri: StringMatch | None = None
    scheme: StringMatch | None = None
    method: StringMatch | None = None
    authority: StringMatch | None = None
    headers: dict[str, StringMatch] = {}
    port: int = 0
    source_labels: dict[str, str] = {}
    gateways: tuple[str, ...] = ()
    query_params: dict[str, StringMatch] = {}
    ignore_uri_case: bool = False
    without_headers: dict[str, StringMatch] = {}
    source_namespace: str = ""
    stat_prefix: str = ""


class HTTPRouteDestination(Message):
    destination: Destination | None = None
    weight: int = 0
    headers: Headers | None = None


class RouteDestination(Message):
    """Of TCP and TLS routes."""

    destination: Destination | None = None
    weight: int = 0


RedirectPortSelection = Literal["FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"]


class HTTPRedirect(Message):
    """`redirect_code` 0 is 301. oneof redirect_port: port, derive_port."""

    uri: str = ""
    prefix_rewrite: str = ""
    authority: str = ""
    port: int | None = None
    derive_port: RedirectPortSelection | None = None
    scheme: str = ""
    redirect_code: int = 0


class HTTPBody(Message):
    """oneof specifier."""

    string: str | None = None
    bytes: Bytes | None = None


class HTTPDirectResponse(Message):
    status: int = 0
    body: HTTPBody | None = None


class Delegate(Message):
    name: str = ""
    namespace: str = ""


class RegexRewrite(Message):
    match: str = ""
    rewrite: str = ""


class HTTPRewrite(Message):
    uri: str = ""
    authority: str = ""
    uri_regex_rewrite: RegexRewrite | None = None


class HTTPRetry(Message):
    """`attempts` 0 turns retries off. An empty `retry_on` keeps the mesh's default conditions."""

    attempts: int = 0
    per_try_timeout: str = ""
    retry_on: str = ""
    retry_remote_localities: bool | None = None
    retry_ignore_previous_hosts: bool | None = None
    backoff: str = ""


class Delay(Message):
    """oneof http_delay_type: fixed_delay, exponential_delay. `percent` is the old form of `percentage`."""

    percent: int = 0
    fixed_delay: str | None = None
    exponential_delay: str | None = None
    percentage: Percent | None = None


class Abort(Message):
    """oneof error_type: http_status, grpc_status, http2_error."""

    http_status: int | None = None
    grpc_status: str | None = None
    http2_error: str | None = None
    percentage: Percent | None = None


class HTTPFaultInjection(Message):
    """No percentage is 0 %: no fault."""

    delay: Delay | None = None
    abort: Abort | None = None


class HTTPMirrorPolicy(Message):
    destination: Destination | None = None
    percentage: Percent | None = None


UnmatchedPreflights = Literal["UNSPECIFIED", "FORWARD", "IGNORE"]


class CorsPolicy(Message):
    allow_origin: tuple[str, ...] = ()
    allow_origins: tuple[StringMatch, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age: str = ""
    allow_credentials: bool | None = None
    unmatched_preflights: UnmatchedPreflights = "UNSPECIFIED"


class HTTPRoute(Message):
    """`timeout` empty or 0s is none. `mirror_percent` and `mirror_percentage` belong to `mirror`; absent is 100 %."""

    name: str = ""
    match: tuple[HTTPMatchRequest, ...] = ()
    route: tuple[HTTPRouteDestination, ...] = ()
    redirect: HTTPRedirect | None = None
    direct_response: HTTPDirectResponse | None = None
    delegate: Delegate | None = None
    rewrite: HTTPRewrite | None = None
    timeout: str = ""
    retries: HTTPRetry | None = None
    fault: HTTPFaultInjection | None = None
    mirror: Destination | None = None
    mirrors: tuple[HTTPMirrorPolicy, ...] = ()
    mirror_percent: int | None = None
    mirror_percentage: Percent | None = None
    cors_policy: CorsPolicy | None = None
    headers: Headers | None = None


class L4MatchAttributes(Message):
    destination_subnets: tuple[str, ...] = ()
    port: int = 0
    source_subnet: str = ""
    source_labels: dict[str, str] = {}
    gateways: tuple[str, ...] = ()
    source_namespace: str = ""


class TCPRoute(Message):
    match: tuple[L4MatchAttributes, ...] = ()
    route: tuple[RouteDestination, ...] = ()


class TLSMatchAttributes(Message):
    sni_hosts: tuple[str, ...] = ()
    destination_subnets: tuple[str, ...] = ()
    port: int = 0
    source_labels: dict[str, str] = {}
    gateways: tuple[str, ...] = ()
    source_namespace: str = ""


class TLSRoute(Message):
    match: tuple[TLSMatchAttributes, ...] = ()
    route: tuple[RouteDestination, ...] = ()


class VirtualService(Message):
    hosts: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    http: tuple[HTTPRoute, ...] = ()
    tls: tuple[TLSRoute, ...] = ()
    tcp: tuple[TCPRoute, ...] = ()
    export_to: tuple[str, ...] = ()
