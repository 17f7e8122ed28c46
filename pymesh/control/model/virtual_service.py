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
    """Headers to set, in the place of those of the name."""
    add: dict[str, str] = {}
    """Headers to add to those of the name."""
    remove: tuple[str, ...] = ()
    """Names of headers to take away."""


class Headers(Message):
    request: HeaderOperations | None = None
    """Changes of what is forwarded."""
    response: HeaderOperations | None = None
    """Changes of what is answered."""


class HTTPMatchRequest(Message):
    """All that is set must hold."""

    name: str = ""
    """Stands in access logs, behind the name of the route."""
    uri: StringMatch | None = None
    """The path, without the query."""
    scheme: StringMatch | None = None
    """http or https."""
    method: StringMatch | None = None
    """The method."""
    authority: StringMatch | None = None
    """The host that the request is for, with the port if it was written."""
    headers: dict[str, StringMatch] = {}
    """Headers by name, in lower case; {} asks for presence."""
    port: int = 0
    """The port of the service that was called."""
    source_labels: dict[str, str] = {}
    """Labels of the workload that calls. They count in sidecars and not in gateways."""
    gateways: tuple[str, ...] = ()
    """Only for these of the gateways of the VirtualService."""
    query_params: dict[str, StringMatch] = {}
    """Query parameters by name."""
    ignore_uri_case: bool = False
    """Whether upper and lower case are the same in exact and prefix matches of the path."""
    without_headers: dict[str, StringMatch] = {}
    """Headers that must not match; {} asks for absence."""
    source_namespace: str = ""
    """The namespace of the workload that calls."""
    stat_prefix: str = ""
    """Prefix of the statistics of this route."""


class HTTPRouteDestination(Message):
    destination: Destination | None = None
    """The service, and which part of it."""
    weight: int = 0
    """The share of the requests, relative to the weights beside it."""
    headers: Headers | None = None
    """What to change in the headers for this destination only."""


class RouteDestination(Message):
    """Of TCP and TLS routes."""

    destination: Destination | None = None
    """The service, and which part of it."""
    weight: int = 0
    """The share of the connections, relative to the weights beside it."""


RedirectPortSelection = Literal["FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"]


class HTTPRedirect(Message):
    """`redirect_code` 0 is 301. oneof redirect_port: port, derive_port."""

    uri: str = ""
    """The path of the target, or what to put in the place of the path."""
    prefix_rewrite: str = ""
    """What to put in the place of the prefix that matched."""
    authority: str = ""
    """The host of the target."""
    port: int | None = None
    """The port of the target."""
    derive_port: RedirectPortSelection | None = None
    """How the port follows from the request."""
    scheme: str = ""
    """The scheme of the target."""
    redirect_code: int = 0
    """The status; 301 by default."""


class HTTPBody(Message):
    """oneof specifier."""

    string: str | None = None
    """As text."""
    bytes: Bytes | None = None
    """As bytes, in base64."""


class HTTPDirectResponse(Message):
    status: int = 0
    """The status of the answer."""
    body: HTTPBody | None = None
    """Its body."""


class Delegate(Message):
    name: str = ""
    """Of the VirtualService that has the rules."""
    namespace: str = ""
    """Its namespace; that of the delegating object by default."""


class RegexRewrite(Message):
    match: str = ""
    """An RE2 expression; every place where it matches is replaced."""
    rewrite: str = ""
    r"""The replacement; \1 is the first group."""


class HTTPRewrite(Message):
    uri: str = ""
    """The new path, or what to put in the place of the prefix that matched."""
    authority: str = ""
    """The new host."""
    uri_regex_rewrite: RegexRewrite | None = None
    """Change the path by an expression instead."""


class HTTPRetry(Message):
    """`attempts` 0 turns retries off. An empty `retry_on` keeps the mesh's default conditions."""

    attempts: int = 0
    """How often to try again after the first failure; 0 turns retries off."""
    per_try_timeout: str = ""
    """How long one attempt may take. The timeout of the route by default."""
    retry_on: str = ""
    """What counts as a failure, as names of Envoy's conditions or as status codes, with commas between."""
    retry_remote_localities: bool | None = None
    """Whether retries may go to other localities."""
    retry_ignore_previous_hosts: bool | None = None
    """Whether a retry prefers endpoints that were not tried yet."""
    backoff: str = ""
    """The pause before the first retry; later ones are longer. 25ms by default."""


class Delay(Message):
    """oneof http_delay_type: fixed_delay, exponential_delay. `percent` is the old form of `percentage`."""

    percent: int = 0
    """The old form of percentage."""
    fixed_delay: str | None = None
    """How long to hold a request."""
    exponential_delay: str | None = None
    """The mean of random delays."""
    percentage: Percent | None = None
    """The share of the requests."""


class Abort(Message):
    """oneof error_type: http_status, grpc_status, http2_error."""

    http_status: int | None = None
    """The status of the answer."""
    grpc_status: str | None = None
    """The status of the answer to a gRPC call, by name."""
    http2_error: str | None = None
    """The code with which an HTTP/2 stream is reset."""
    percentage: Percent | None = None
    """The share of the requests."""


class HTTPFaultInjection(Message):
    """No percentage is 0 %: no fault."""

    delay: Delay | None = None
    """Hold requests before they are forwarded."""
    abort: Abort | None = None
    """Answer requests with an error."""


class HTTPMirrorPolicy(Message):
    destination: Destination | None = None
    """Where the copies go."""
    percentage: Percent | None = None
    """The share of the requests that is copied; all by default."""


UnmatchedPreflights = Literal["UNSPECIFIED", "FORWARD", "IGNORE"]


class CorsPolicy(Message):
    allow_origin: tuple[str, ...] = ()
    """The old form of allowOrigins."""
    allow_origins: tuple[StringMatch, ...] = ()
    """Origins that may call."""
    allow_methods: tuple[str, ...] = ()
    """Methods that they may use."""
    allow_headers: tuple[str, ...] = ()
    """Headers that they may send."""
    expose_headers: tuple[str, ...] = ()
    """Headers of the answer that they may read."""
    max_age: str = ""
    """How long a browser may remember this."""
    allow_credentials: bool | None = None
    """Whether they may send cookies and the like."""
    unmatched_preflights: UnmatchedPreflights = "UNSPECIFIED"
    """What becomes of a preflight of another origin."""


class HTTPRoute(Message):
    """`timeout` empty or 0s is none. `mirror_percent` and `mirror_percentage` belong to `mirror`; absent is 100 %."""

    name: str = ""
    """Stands in access logs."""
    match: tuple[HTTPMatchRequest, ...] = ()
    """Conditions, of which one must hold; none matches every request."""
    route: tuple[HTTPRouteDestination, ...] = ()
    """Where requests go, with weights if there are several destinations."""
    redirect: HTTPRedirect | None = None
    """Answer with a redirect instead of forwarding."""
    direct_response: HTTPDirectResponse | None = None
    """Answer with this status and body instead of forwarding."""
    delegate: Delegate | None = None
    """Another VirtualService that has the rules for what matches here; that one has no hosts."""
    rewrite: HTTPRewrite | None = None
    """What to change in path and authority before forwarding."""
    timeout: str = ""
    """How long the whole request may take, retries included. None by default."""
    retries: HTTPRetry | None = None
    """When and how often to try again."""
    fault: HTTPFaultInjection | None = None
    """Delays and errors to inject."""
    mirror: Destination | None = None
    """Where to send a copy of each request, whose answer is dropped."""
    mirrors: tuple[HTTPMirrorPolicy, ...] = ()
    """Several destinations of copies, each with its share."""
    mirror_percent: int | None = None
    """The old form of mirrorPercentage."""
    mirror_percentage: Percent | None = None
    """The share of the requests that is copied to mirror; all by default."""
    cors_policy: CorsPolicy | None = None
    """Which pages of other origins may call."""
    headers: Headers | None = None
    """What to change in the headers of requests and responses."""
    websocket_upgrade: bool = False
    """Of older files; WebSockets pass always."""


class L4MatchAttributes(Message):
    destination_subnets: tuple[str, ...] = ()
    """Networks of the address that was called."""
    port: int = 0
    """The port that was called."""
    source_subnet: str = ""
    """The network of the caller."""
    source_labels: dict[str, str] = {}
    """Labels of the workload that calls."""
    gateways: tuple[str, ...] = ()
    """Only for these of the gateways of the VirtualService."""
    source_namespace: str = ""
    """The namespace of the workload that calls."""


class TCPRoute(Message):
    match: tuple[L4MatchAttributes, ...] = ()
    """Conditions, of which one must hold; none matches every connection."""
    route: tuple[RouteDestination, ...] = ()
    """Where connections go, with weights if there are several destinations."""


class TLSMatchAttributes(Message):
    sni_hosts: tuple[str, ...] = ()
    """Server names of the hello; they must be among the hosts of the VirtualService."""
    destination_subnets: tuple[str, ...] = ()
    """Networks of the address that was called."""
    port: int = 0
    """The port that was called."""
    source_labels: dict[str, str] = {}
    """Labels of the workload that calls."""
    gateways: tuple[str, ...] = ()
    """Only for these of the gateways of the VirtualService."""
    source_namespace: str = ""
    """The namespace of the workload that calls."""


class TLSRoute(Message):
    match: tuple[TLSMatchAttributes, ...] = ()
    """Conditions, of which one must hold."""
    route: tuple[RouteDestination, ...] = ()
    """Where connections go, with weights if there are several destinations."""


class VirtualService(Message):
    hosts: tuple[str, ...] = ()
    """The hosts that requests go to, as the caller names them: DNS names, * as the first label, or addresses. A short
    name is completed with the namespace of this object."""
    gateways: tuple[str, ...] = ()
    """The gateways that obey these rules; mesh stands for all sidecars and is the default."""
    http: tuple[HTTPRoute, ...] = ()
    """Rules for HTTP requests. The first that matches counts."""
    tls: tuple[TLSRoute, ...] = ()
    """Rules for TLS connections that are passed through, by the server name of the hello."""
    tcp: tuple[TCPRoute, ...] = ()
    """Rules for what is neither HTTP nor TLS. The first that matches counts."""
    export_to: tuple[str, ...] = ()
    """Namespaces whose proxies see this object: * for all, . for its own."""
