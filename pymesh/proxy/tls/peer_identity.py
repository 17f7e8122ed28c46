"""Who is at the other end of a verified TLS connection."""

import ssl
from typing import NamedTuple


class PeerIdentity(NamedTuple):
    """The peer's certificate, whose chain the TLS context has verified. `uris` are its URI subjectAltNames."""

    uris: tuple[str, ...]
    dns_names: tuple[str, ...]
    subject: str  # RFC 2253, as x-forwarded-client-cert prints it
    sha256: str  # of the DER form, lower-case hex

    @property
    def principal(self) -> str:
        """The SPIFFE URI, or an empty string."""
        return next((uri for uri in self.uris if uri.startswith("spiffe://")), "")


def peer_identity(ssl_object: ssl.SSLObject) -> PeerIdentity | None:
    """None where the peer showed no certificate."""
    raise NotImplementedError
