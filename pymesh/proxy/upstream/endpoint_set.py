"""The endpoints of a cluster: who stays, who comes and who goes when the list changes. Pure but for what it drains."""

from collections.abc import Callable, Sequence

from pymesh.proxy.tls.contexts import ClientTls
from pymesh.proxy.upstream.endpoint import Endpoint, EndpointConfig


class EndpointSet:
    """An address that stays is the same object, unless it is spoken to by other TLS."""

    def __init__(self, select_tls: Callable[[EndpointConfig], ClientTls | None]) -> None:
        self._select_tls = select_tls
        self._endpoints: dict[tuple[str, int], Endpoint] = {}

    @property
    def endpoints(self) -> list[Endpoint]:
        return list(self._endpoints.values())

    def update(self, configs: Sequence[EndpointConfig]) -> tuple[list[Endpoint], list[Endpoint]]:
        """The whole list. Who has come, and who has left; nobody is drained yet."""
        before = self._endpoints
        self._endpoints = {}
        for config in configs:
            # Envoy: of two entries with one address, the first counts.
            if (config.host, config.port) not in self._endpoints:
                self._endpoints[config.host, config.port] = self._keep_or_make(config, before)
        known = set(before.values())
        current = set(self._endpoints.values())
        return [e for e in current if e not in known], [e for e in known if e not in current]

    def _keep_or_make(self, config: EndpointConfig, before: dict[tuple[str, int], Endpoint]) -> Endpoint:
        tls = self._select_tls(config)
        endpoint = before.get((config.host, config.port))
        if endpoint is None or endpoint.tls is not tls:
            # Over other TLS it is another peer: its connections cannot be used on.
            return Endpoint(config, tls)
        endpoint.apply(config)
        return endpoint
