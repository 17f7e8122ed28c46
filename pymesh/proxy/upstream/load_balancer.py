"""Which endpoint of a set takes the next request. Pure: chance is an argument, nothing is connected.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/load_balancers
"""

from collections.abc import Collection

from pymesh.proxy.upstream.endpoint import Endpoint


class LoadBalancerContext:
    """What a request brings to the choice. `hash`: of the route's hash policy; `tried`: endpoints that failed it
    already; `authority`: `host[:port]`, by which a dynamic forward proxy goes."""

    __slots__ = ("authority", "hash", "tried")

    def __init__(self, hash: int | None = None, tried: Collection[Endpoint] = (), authority: bytes = b"") -> None:
        self.hash = hash
        self.tried = tried
        self.authority = authority


NO_CONTEXT = LoadBalancerContext()
