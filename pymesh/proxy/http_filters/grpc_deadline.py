"""The deadline of a gRPC request as the timeout of its route.

Envoy: FilterUtility::finalTimeout and setTimeoutHeaders, for routes with max_grpc_timeout.
"""

from dataclasses import replace

from pymesh.proxy.codec.grpc import GRPC_TIMEOUT, format_timeout, is_grpc, parse_timeout
from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.routing.route import ClusterAction


def obey_deadline(action: ClusterAction, headers: HeaderMap) -> ClusterAction:
    """Of a request with a grpc-timeout. The server is told how much of it the route, or a try, leaves."""
    if not is_grpc(headers):
        return action
    longest, deadline = action.max_grpc_timeout or 0.0, parse_timeout(headers) or 0.0
    if longest and not 0 < deadline <= longest:
        deadline = longest
    action = replace(action, timeout=deadline or None)
    if action.expected_timeout:
        headers.set(GRPC_TIMEOUT, format_timeout(action.expected_timeout))
    return action
