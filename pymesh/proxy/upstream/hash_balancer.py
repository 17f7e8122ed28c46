"""The load balancers that follow a request's hash. Pure.

Their shares of the traffic have the weights of localities in them already, as Envoy's have.
"""

from collections.abc import Callable, Sequence

from pymesh.proxy.upstream.endpoint import Endpoint
from pymesh.proxy.upstream.hash_table import HashTable, Share
from pymesh.proxy.upstream.load_balancer import LoadBalancerContext, RandomValue

TableBuilder = Callable[[Sequence[Share]], HashTable]


class HashBalancer:
    """The same endpoint for the same hash, as far as the set stays; without a hash, a random one.

    A table is made when it is first asked, and made anew only for other shares: it may take 0.1 s.
    """

    __slots__ = ("_build", "_is_locality_weighted", "_random", "_shares", "_table", "_uses_hostname")

    def __init__(
        self,
        build: TableBuilder,
        random_value: RandomValue,
        uses_hostname: bool = False,
        is_locality_weighted: bool = False,
    ) -> None:
        self._build = build
        self._random = random_value
        self._uses_hostname = uses_hostname
        self._is_locality_weighted = is_locality_weighted
        self._shares: list[Share] = []
        self._table: HashTable | None = None

    def update(self, endpoints: Sequence[Endpoint]) -> None:
        weights = locality_shares(endpoints) if self._is_locality_weighted else []
        shares = weights or host_shares(endpoints)
        named = [Share(endpoint, self._key(endpoint), weight) for endpoint, weight in shares]
        if named != self._shares:
            self._shares = named
            self._table = None

    def choose(self, context: LoadBalancerContext, attempt: int = 0) -> Endpoint:
        table = self._table
        if table is None:
            table = self._table = self._build(self._shares)
        value = context.hash
        return table.find(int(self._random() * 2**64) if value is None else value, attempt)

    def _key(self, endpoint: Endpoint) -> str:
        return endpoint.hash_key or (endpoint.hostname if self._uses_hostname else "") or endpoint.address


def host_shares(endpoints: Sequence[Endpoint], locality_share: float = 1.0) -> list[tuple[Endpoint, float]]:
    total = sum(endpoint.weight for endpoint in endpoints)
    return [(endpoint, endpoint.weight * locality_share / total) for endpoint in endpoints]


def locality_shares(endpoints: Sequence[Endpoint]) -> list[tuple[Endpoint, float]]:
    """Each locality has what its weight says, whoever of it is there. Empty where no locality has a weight."""
    localities: dict[object, list[Endpoint]] = {}
    for endpoint in endpoints:
        localities.setdefault(endpoint.config.locality, []).append(endpoint)
    total = sum(members[0].config.locality_weight for members in localities.values())
    shares: list[tuple[Endpoint, float]] = []
    for members in localities.values():
        if weight := members[0].config.locality_weight:
            shares += host_shares(members, weight / total)
    return shares
