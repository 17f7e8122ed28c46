"""The control plane's own TLS: its certificate, renewed under running listeners, and what it asks of callers."""

import asyncio
import logging
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pymesh.control.ca.authority import DEFAULT_TTL, CertificateAuthority
from pymesh.control.metrics import ControlMetrics
from pymesh.errors import UsageError
from pymesh.state_dir import write_private

log = logging.getLogger(__name__)

# What proxies check: istiod's name. localhost is for a person with curl.
DNS_NAMES = ("istiod.istio-system.svc", "localhost")


class ServerCertificate:
    """One SSL context for the life of the process; `renew_forever` puts a new certificate into it at half the old
    one's life. A caller's certificate is optional, since a workload comes here to get its first, but where it has one
    it must be of this mesh."""

    def __init__(
        self, authority: CertificateAuthority, directory: Path, metrics: ControlMetrics, ttl: timedelta = DEFAULT_TTL
    ) -> None:
        self._authority = authority
        self._directory = directory
        self._metrics = metrics
        self._ttl = ttl
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.load_verify_locations(cadata=authority.root_pem)
        self.context.verify_mode = ssl.CERT_OPTIONAL
        self.context.set_alpn_protocols(["http/1.1"])
        # A resumed session would outlive the certificate that opened it.
        self.context.num_tickets = 0
        self.context.options |= ssl.OP_NO_TICKET
        self.renew()

    def renew(self) -> None:
        """New handshakes get the new certificate; connections that are there are left alone."""
        pair = self._authority.issue_server(DNS_NAMES, self._ttl)
        key_path, chain_path = self._directory / "server-key.pem", self._directory / "server-cert.pem"
        write_private(key_path, pair.key_pem)
        write_private(chain_path, pair.chain_pem)
        self.context.load_cert_chain(chain_path, key_path)
        self.not_after = pair.not_after
        self._metrics.server_certificate_expiry.set(pair.not_after.timestamp())

    async def renew_forever(self) -> None:
        while True:
            # In short steps: a machine that slept through the half-life must not sleep on.
            await asyncio.sleep(min(60.0, self._ttl.total_seconds() / 4))
            if datetime.now(UTC) >= self.not_after - self._ttl / 2:
                self._try_renew()

    def _try_renew(self) -> None:
        try:
            self.renew()
        except UsageError as error:  # a full disk; the next look tries again
            log.error("the control plane's certificate could not be renewed: %s", error)
        else:
            log.info("renewed the control plane's certificate until %s", self.not_after.isoformat())
