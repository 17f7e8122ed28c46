"""A route: what it matches and what it does. Frozen values, made by decoding; all of them pure."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from pymesh.proxy.matchers.compiled import Request
from pymesh.proxy.matchers.header_matcher import HeaderMatcher
from pymesh.proxy.matchers.metadata_match import MetadataMatch
from pymesh.proxy.matchers.metadata_matcher import MetadataMatcher
from pymesh.proxy.matchers.path_matcher import PathMatcher
from pymesh.proxy.matchers.query_parameter_matcher import QueryParameterMatcher
from pymesh.proxy.routing.hash_policy import HashPolicy, combine_hashes, used_policies
from pymesh.proxy.routing.header_mutations import NO_MUTATIONS, HeaderMutations
from pymesh.proxy.routing.path_rewrite import PathRewrite
from pymesh.proxy.routing.redirect import RedirectAction
from pymesh.proxy.routing.retry_policy import NO_RETRIES, RetryPolicy

# Envoy: the buffer limit of a listener's connections.
DEFAULT_BUFFER_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class WeightedCluster:
    """One of the clusters of a route. Its header mutations apply before those of the route.

    `metadata_match`, which has the route's in it, chooses a subset of the cluster: sorted keys and frozen values.
    """

    name: str
    weight: int = 1
    request_headers: HeaderMutations = NO_MUTATIONS
    response_headers: HeaderMutations = NO_MUTATIONS
    host_rewrite: bytes = b""
    metadata_match: MetadataMatch = ()


@dataclass(frozen=True, slots=True)
class Mirror:
    """A cluster that gets a copy of `percent` (0..100) of the requests. Its answers are dropped."""

    cluster: str
    percent: float = 100.0
    append_shadow_suffix: bool = True  # Envoy's default: the host becomes `<host>-shadow`

    def is_chosen(self, random_value: float) -> bool:
        return random_value * 100.0 < self.percent


@dataclass(frozen=True, slots=True)
class ClusterAction:
    """Forward to one of `clusters`. Times are seconds.

    `timeout` None: none at all. `idle_timeout` and `max_stream_duration` None: the connection manager's; 0: none.
    `max_grpc_timeout` not None: a gRPC request's deadline is its `timeout`, and this the longest, 0 for any.
    `grpc_timeout_header_max` is the same of the deadline as the longest duration of the stream.
    `upstream_stream_duration` is the longest that one try may last, response and all; 0: any time. `timeout_status`
    answers what takes too long. `buffer_limit` is how much of a body is kept for another try. `is_connect`: a CONNECT
    is ended here and its payload forwarded as TCP. `upgrades` are upgrade types, lower-case, which are let through;
    `refused_upgrades` are not, although the connection manager would. `auto_host_rewrite`: the authority becomes the
    endpoint's host name.
    """

    clusters: tuple[WeightedCluster, ...]
    timeout: float | None = 15.0
    idle_timeout: float | None = None
    max_stream_duration: float | None = None
    max_grpc_timeout: float | None = None
    grpc_timeout_header_max: float | None = None
    upstream_stream_duration: float = 0.0
    timeout_status: int = 504
    retry_policy: RetryPolicy | None = None
    buffer_limit: int = DEFAULT_BUFFER_LIMIT
    mirrors: tuple[Mirror, ...] = ()
    path_rewrite: PathRewrite | None = None
    host_rewrite: bytes = b""
    auto_host_rewrite: bool = False
    hash_policies: tuple[HashPolicy, ...] = ()
    upgrades: frozenset[str] = frozenset()
    refused_upgrades: frozenset[str] = frozenset()
    is_connect: bool = False
    is_high_priority: bool = False  # of the two that circuit breakers have
    cluster_not_found_code: int = 503
    # what follows from the above; 0: none
    per_try_timeout: float = field(init=False, repr=False, compare=False)
    per_try_idle_timeout: float = field(init=False, repr=False, compare=False)
    expected_timeout: float = field(init=False, repr=False, compare=False)  # of a first try
    expected_timeout_ms: bytes = field(init=False, repr=False, compare=False)  # empty: none
    has_timeouts: bool = field(init=False, repr=False, compare=False)  # for the whole or for a try
    has_stream_timeouts: bool = field(init=False, repr=False, compare=False)
    is_retried: bool = field(init=False, repr=False, compare=False)
    only_cluster: WeightedCluster | None = field(init=False, repr=False, compare=False)  # None: there are several
    _bounds: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        policy = self.retry_policy or NO_RETRIES
        per_try, idle, timeout = policy.per_try_timeout or 0.0, policy.per_try_idle_timeout or 0.0, self.timeout or 0.0
        if timeout and per_try >= timeout:
            per_try = 0.0  # as in Envoy
        self._derive("per_try_timeout", per_try)
        self._derive("per_try_idle_timeout", idle)
        self._derive("expected_timeout", per_try or timeout)
        self._derive("expected_timeout_ms", b"%d" % (self.expected_timeout * 1000) if self.expected_timeout else b"")
        self._derive("has_timeouts", bool(timeout or per_try or idle or self.upstream_stream_duration))
        self._derive("has_stream_timeouts", self.idle_timeout is not None or self.max_stream_duration is not None)
        self._derive("is_retried", bool(policy.retry_on))
        self._derive("only_cluster", self.clusters[0] if len(self.clusters) == 1 else None)
        self._derive("_bounds", tuple(accumulate(cluster.weight for cluster in self.clusters)))

    def _derive(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def choose_cluster(self, random_value: float) -> WeightedCluster:
        """`random_value` is in [0, 1)."""
        bounds = self._bounds
        return self.clusters[bisect_right(bounds, int(random_value * bounds[-1]))]

    def rewrite_path(self, path: bytes) -> bytes:
        """What goes upstream as `:path`; the query stays."""
        return path if self.path_rewrite is None else self.path_rewrite.rewrite(path)

    def hash(self, request: Request) -> int | None:
        """What a consistent-hashing cluster chooses its endpoint by; None: any."""
        return combine_hashes(self.hash_policies, request) if self.hash_policies else None

    def generated_cookies(self, request: Request) -> tuple[bytes, ...]:
        """Set-Cookie values for the response, so that the client comes back with a hash of its own."""
        cookies = (policy.set_cookie(request) for policy in used_policies(self.hash_policies, request))
        return tuple(cookie for cookie in cookies if cookie is not None)


@dataclass(frozen=True, slots=True)
class DirectResponseAction:
    status: int
    body: bytes = b""


RouteAction = ClusterAction | RedirectAction | DirectResponseAction


@dataclass(frozen=True, slots=True)
class RouteMatcher:
    """All of it must hold. `runtime_percent` (0..100) is the share of the matching requests that the route takes."""

    path: PathMatcher
    headers: tuple[HeaderMatcher, ...] = ()
    query_parameters: tuple[QueryParameterMatcher, ...] = ()
    runtime_percent: float | None = None
    dynamic_metadata: tuple[MetadataMatcher, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """Header mutations and filter configurations are those of all levels, the route's own first.

    `filter_configs` maps an HTTP filter's name to what its `decode_route` returned. `decorator` names the span.
    """

    name: str
    match: RouteMatcher
    action: RouteAction
    request_headers: HeaderMutations = NO_MUTATIONS
    response_headers: HeaderMutations = NO_MUTATIONS
    filter_configs: Mapping[str, Any] = field(default_factory=dict)
    decorator: str = ""


@dataclass(frozen=True, slots=True)
class VirtualHost:
    """`require_tls`: plaintext requests are redirected to https. The attempt count goes into x-envoy-attempt-count."""

    name: str
    domains: tuple[str, ...]
    routes: tuple[Route, ...] = ()
    require_tls: bool = False
    include_request_attempt_count: bool = False
    include_attempt_count_in_response: bool = False


@dataclass(frozen=True, slots=True)
class RouteConfiguration:
    """envoy.config.route.v3.RouteConfiguration."""

    name: str
    virtual_hosts: tuple[VirtualHost, ...] = ()
    ignore_port_in_host_matching: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class RouteMatch:
    """What a lookup finds: for a route always the same object, by which others may know it.

    `changes_request` and `changes_response`: the route or one of its clusters does something to the head.
    """

    route: Route
    virtual_host: VirtualHost
    changes_request: bool = field(init=False)
    changes_response: bool = field(init=False)

    def __post_init__(self) -> None:
        route, action = self.route, self.route.action
        clusters = action.clusters if isinstance(action, ClusterAction) else ()
        changes_request = any(cluster.request_headers or cluster.host_rewrite for cluster in clusters)
        if isinstance(action, ClusterAction) and (action.host_rewrite or action.path_rewrite is not None):
            changes_request = True
        changes_response = any(cluster.response_headers for cluster in clusters)
        object.__setattr__(self, "changes_request", changes_request or bool(route.request_headers))
        object.__setattr__(self, "changes_response", changes_response or bool(route.response_headers))
