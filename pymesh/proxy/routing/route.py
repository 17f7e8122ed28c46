"""A route: what it matches and what it does. Frozen values, made by decoding; all of them pure."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from pymesh.proxy.matchers.compiled import Request
from pymesh.proxy.matchers.header_matcher import HeaderMatcher
from pymesh.proxy.matchers.metadata_match import MetadataMatch
from pymesh.proxy.matchers.path_matcher import PathMatcher
from pymesh.proxy.matchers.query_parameter_matcher import QueryParameterMatcher
from pymesh.proxy.routing.hash_policy import HashPolicy, combine_hashes
from pymesh.proxy.routing.header_mutations import NO_MUTATIONS, HeaderMutations
from pymesh.proxy.routing.path_rewrite import PathRewrite
from pymesh.proxy.routing.redirect import RedirectAction
from pymesh.proxy.routing.retry_policy import RetryPolicy


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

    `timeout` None: none at all. `idle_timeout` None: the connection manager's; 0: none. `is_connect`: a CONNECT is
    ended here and its payload forwarded as TCP. `upgrades` are upgrade types, lower-case, which are let through.
    `auto_host_rewrite`: the authority becomes the endpoint's host name.
    """

    clusters: tuple[WeightedCluster, ...]
    timeout: float | None = 15.0
    idle_timeout: float | None = None
    retry_policy: RetryPolicy | None = None
    mirrors: tuple[Mirror, ...] = ()
    path_rewrite: PathRewrite | None = None
    host_rewrite: bytes = b""
    auto_host_rewrite: bool = False
    hash_policies: tuple[HashPolicy, ...] = ()
    upgrades: frozenset[str] = frozenset()
    is_connect: bool = False
    cluster_not_found_code: int = 503
    has_timeouts: bool = field(init=False, repr=False, compare=False)  # for the whole or for a try
    _bounds: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        per_try = self.retry_policy is not None and self.retry_policy.per_try_timeout
        object.__setattr__(self, "has_timeouts", bool(self.timeout or per_try))
        object.__setattr__(self, "_bounds", tuple(accumulate(cluster.weight for cluster in self.clusters)))

    def choose_cluster(self, random_value: float) -> WeightedCluster:
        """`random_value` is in [0, 1)."""
        bounds = self._bounds
        if len(bounds) == 1:
            return self.clusters[0]
        return self.clusters[bisect_right(bounds, int(random_value * bounds[-1]))]

    def rewrite_path(self, path: bytes) -> bytes:
        """What goes upstream as `:path`; the query stays."""
        return path if self.path_rewrite is None else self.path_rewrite.rewrite(path)

    def hash(self, request: Request) -> int | None:
        """What a consistent-hashing cluster chooses its endpoint by; None: any."""
        return combine_hashes(self.hash_policies, request) if self.hash_policies else None

    def generated_cookies(self, request: Request) -> tuple[bytes, ...]:
        """Set-Cookie values for the response, so that the client comes back with a hash of its own."""
        cookies = (policy.set_cookie(request) for policy in self.hash_policies)
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


@dataclass(frozen=True, slots=True)
class RouteMatch:
    """What a lookup finds."""

    route: Route
    virtual_host: VirtualHost
