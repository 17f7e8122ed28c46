"""The router at work. Its configuration is `router`'s, which loads nothing that reaches an upstream."""

from typing import Any

from pymesh.proxy.codec.grpc import GRPC_TIMEOUT
from pymesh.proxy.codec.message import HTTP_2
from pymesh.proxy.http_filters.connect_tunnel import ConnectTunnel
from pymesh.proxy.http_filters.envoy_headers import INTERNAL, obey
from pymesh.proxy.http_filters.filter import STOP, FilterContext, FilterStatus, LocalReply
from pymesh.proxy.http_filters.grpc_deadline import obey_deadline
from pymesh.proxy.http_filters.local_replies import ROUTE_NOT_FOUND, cluster_not_found
from pymesh.proxy.http_filters.router import RouterConfig
from pymesh.proxy.http_filters.upstream_request import EXPECTED_TIMEOUT, UpstreamRequest
from pymesh.proxy.routing.redirect import RedirectAction
from pymesh.proxy.routing.route import ClusterAction, DirectResponseAction, RouteMatch, WeightedCluster
from pymesh.proxy.upstream.cluster import Cluster
from pymesh.proxy.upstream.http2_options import UpstreamProtocol

ORIGINAL_PATH = b"x-envoy-original-path"
ORIGINAL_HOST = b"x-envoy-original-host"

HTTP1, HTTP2 = UpstreamProtocol.HTTP1, UpstreamProtocol.HTTP2

# For these, "no Content-Length" already says "no body"; for others it would be a guess (RFC 9110 8.6).
_WITHOUT_BODY = frozenset((b"GET", b"HEAD", b"DELETE", b"TRACE", b"CONNECT"))


class Router:
    def __init__(self, config: RouterConfig, context: FilterContext) -> None:
        self._adds_envoy_headers = not config.suppress_envoy_headers
        self._obeys_requests = config.obeys_requests
        self._context = context
        self._get_cluster = context.clusters.get

    def on_request(self, stream: Any) -> FilterStatus | LocalReply:
        match: RouteMatch | None = stream.match
        if match is None:
            return ROUTE_NOT_FOUND
        action = match.route.action
        if type(action) is not ClusterAction:
            return _answer(action, stream)
        weighted: WeightedCluster = stream.weighted_cluster
        get_cluster = self._get_cluster
        cluster: Cluster | None = get_cluster(weighted.name)
        info = stream.info
        info.upstream_cluster = weighted.name
        if cluster is None:
            return cluster_not_found(action.cluster_not_found_code)
        info.service = cluster.service
        if action.max_grpc_timeout is not None and GRPC_TIMEOUT in stream.headers:
            action = obey_deadline(action, stream.headers)
        if self._obeys_requests and INTERNAL in stream.headers:
            action = obey(action, stream.headers)
        self._finalize_head(stream, match, action)
        upstream: UpstreamRequest | ConnectTunnel
        if action.is_connect and stream.method == b"CONNECT":
            upstream = ConnectTunnel(stream, cluster, self._context)
        else:
            protocol, kind = cluster.protocol, UpstreamRequest
            if protocol is not HTTP1 and (protocol is HTTP2 or stream.head.version is HTTP_2) and not stream.upgrade:
                kind = _http2_request()
            upstream = kind(stream, cluster, action, self._context, self._adds_envoy_headers)
        stream.upstream = upstream
        upstream.start()
        return STOP

    def _finalize_head(self, stream: Any, match: RouteMatch, action: ClusterAction) -> None:
        """Envoy: RouteEntryImplBase::finalizeRequestHeaders, in its order."""
        headers = stream.headers
        if action.expected_timeout_ms and self._adds_envoy_headers:
            if headers.repeated:
                headers.set(EXPECTED_TIMEOUT, action.expected_timeout_ms)
            else:
                headers[EXPECTED_TIMEOUT] = action.expected_timeout_ms
        if match.changes_request:
            self._change_head(stream, match, action)
        if stream.is_request_chunked:
            headers.set(b"transfer-encoding", b"chunked")
        elif stream.has_request_body:
            if b"content-length" not in headers:  # a change took it away: frame the body in another way
                stream.is_request_chunked = True
                headers.set(b"transfer-encoding", b"chunked")
        elif stream.method not in _WITHOUT_BODY and b"content-length" not in headers:
            headers[b"content-length"] = b"0"

    def _change_head(self, stream: Any, match: RouteMatch, action: ClusterAction) -> None:
        headers, weighted = stream.headers, stream.weighted_cluster
        weighted.request_headers.apply(headers, stream.info)
        match.route.request_headers.apply(headers, stream.info)
        host = action.host_rewrite or weighted.host_rewrite
        if host:
            if self._adds_envoy_headers and action.host_rewrite:
                headers.set(ORIGINAL_HOST, weighted.host_rewrite or stream.authority)
            stream.authority = host
            headers.set(b"host", host)
        if action.path_rewrite is not None:
            path = action.rewrite_path(stream.path)
            if self._adds_envoy_headers:
                headers.set(ORIGINAL_PATH, stream.path)
            stream.path = path


def _http2_request() -> type[UpstreamRequest]:
    """Who never speaks HTTP/2 does not load what it takes."""
    from pymesh.proxy.http_filters.http2_request import Http2UpstreamRequest

    return Http2UpstreamRequest


def _answer(action: RedirectAction | DirectResponseAction | ClusterAction, stream: Any) -> LocalReply:
    if isinstance(action, RedirectAction):
        location = (b"location", action.location(stream))
        return LocalReply(action.code, b"", "direct_response", headers=(location,))
    assert isinstance(action, DirectResponseAction)
    # As in Envoy, a redirect that says nothing of where to goes to where it came from.
    has_location = action.status == 201 or 300 <= action.status < 400
    headers = ((b"location", RedirectAction().location(stream)),) if has_location else ()
    return LocalReply(action.status, action.body, "direct_response", headers=headers)
