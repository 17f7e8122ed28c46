"""SSL contexts of listeners and clusters, made of their config and of the secrets that are there now."""

import ssl

from pymesh.proxy.tls.config import DownstreamTlsConfig, UpstreamTlsConfig
from pymesh.proxy.tls.peer_identity import PeerIdentity
from pymesh.proxy.tls.secrets import SecretStore


class ServerTls:
    """TLS towards downstream: one per filter chain. `ssl_context()` per new connection; live ones keep their own."""

    def __init__(self, config: DownstreamTlsConfig, secrets: SecretStore) -> None:
        self.config = config
        self._secrets = secrets

    def ssl_context(self) -> ssl.SSLContext | None:
        """None while a secret is missing: the connection must be closed."""
        raise NotImplementedError

    def verify(self, ssl_object: ssl.SSLObject) -> str | None:
        """None if the client's certificate is acceptable, else why not. Call it once the handshake is done."""
        raise NotImplementedError

    def peer_identity(self, ssl_object: ssl.SSLObject) -> PeerIdentity | None:
        """Who the client is; None where it showed no certificate or none was verified."""
        raise NotImplementedError


class ClientTls:
    """TLS towards upstream: one per transport socket and SNI of a cluster."""

    def __init__(self, config: UpstreamTlsConfig, secrets: SecretStore, hostname: str = "") -> None:
        self.config = config
        self.server_hostname = config.sni or hostname  # the SNI; "" for none
        self._secrets = secrets

    def ssl_context(self) -> ssl.SSLContext | None:
        """None while a secret is missing. check_hostname is off: what the names must be is `verify`'s."""
        raise NotImplementedError

    def verify(self, ssl_object: ssl.SSLObject) -> str | None:
        """None if the server's certificate is for whom was meant, else the text of UPSTREAM_TRANSPORT_FAILURE_REASON.

        Call it once the handshake is done and before a byte is written.
        """
        raise NotImplementedError

    def peer_identity(self, ssl_object: ssl.SSLObject) -> PeerIdentity | None:
        raise NotImplementedError
