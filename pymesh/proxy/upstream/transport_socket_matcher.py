"""Which TLS an endpoint is spoken to with: the first transport_socket_match that its metadata fits, else the cluster's.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/cluster/v3/cluster.proto#config-cluster-v3-cluster-transportsocketmatch
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pymesh.proxy.tls.config import UpstreamTlsConfig
from pymesh.proxy.tls.contexts import ClientTls
from pymesh.proxy.tls.secrets import SecretStore
from pymesh.proxy.upstream.endpoint import Endpoint, EndpointConfig


class TransportSocketMatch(NamedTuple):
    """TLS (None: plaintext) for endpoints whose transport_socket_match metadata has all of `match`."""

    name: str
    match: Mapping[str, Any]
    transport_socket: UpstreamTlsConfig | None


@dataclass(frozen=True, slots=True)
class TransportSocketsConfig:
    """`auto_sni`: where the TLS config has no SNI, it is `service_host`, or else the endpoint's own name."""

    default: UpstreamTlsConfig | None = None
    matches: tuple[TransportSocketMatch, ...] = ()
    auto_sni: bool = False


class TransportSocketMatcher:
    """Gives the same ClientTls for equal configs, so that endpoints keep their connections while it is."""

    def __init__(self, config: TransportSocketsConfig, service_host: str, secrets: SecretStore) -> None:
        self.config = config
        self.service_host = service_host
        self._secrets = secrets
        self._tls: dict[tuple[UpstreamTlsConfig, str], ClientTls] = {}

    def select(self, endpoint: EndpointConfig) -> ClientTls | None:
        """None: plaintext."""
        config = self._transport_socket(endpoint)
        if config is None:
            return None
        key = (config, self._server_name(config, endpoint))
        if key not in self._tls:
            self._tls[key] = ClientTls(config, self._secrets, key[1])
        return self._tls[key]

    def forget_unused(self, endpoints: Iterable[Endpoint]) -> None:
        in_use = {endpoint.tls for endpoint in endpoints}
        self._tls = {key: tls for key, tls in self._tls.items() if tls in in_use}

    def _transport_socket(self, endpoint: EndpointConfig) -> UpstreamTlsConfig | None:
        metadata = endpoint.transport_socket_match
        for candidate in self.config.matches:
            if all(metadata.get(key) == value for key, value in candidate.match.items()):
                return candidate.transport_socket
        return self.config.default

    def _server_name(self, config: UpstreamTlsConfig, endpoint: EndpointConfig) -> str:
        if config.sni:
            return config.sni
        if config.auto_host_sni:
            return endpoint.hostname
        if not self.config.auto_sni:
            return ""
        is_usable = bool(self.service_host) and not self.service_host.startswith("*")
        return self.service_host if is_usable else endpoint.hostname
