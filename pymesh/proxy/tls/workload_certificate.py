"""The workload's own certificate: made, kept on disk, published as a secret, renewed at half its life.

The private key never leaves this machine. The control plane is only a function here, `sign`, which turns a CSR into a
chain; while it fails, the certificate that is there goes on.
"""

import asyncio
import logging
import random
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pymesh.backoff import exponential_backoff
from pymesh.errors import PymeshError
from pymesh.names import OWN_CERTIFICATE, ROOT_CA
from pymesh.proxy.tls.certificates import CertificateValidation, SecretConfig, TlsCertificate
from pymesh.proxy.tls.csr import CertificateRequest
from pymesh.proxy.tls.rehearsal import CertificateFacts, rehearse_handshake
from pymesh.proxy.tls.secrets import SecretStore
from pymesh.state_dir import write_private

log = logging.getLogger(__name__)

Sign = Callable[[str], Awaitable[tuple[str, ...]]]

# Istio: SECRET_GRACE_PERIOD_RATIO and its jitter, pilot/cmd/pilot-agent/options.
_RENEW_AT = 0.5
_RENEW_JITTER = 0.01
# Sleeps are cut, as the clock that they run by stands still while a machine is suspended.
_LONGEST_SLEEP = 60.0
_RETRY_BASE = 0.5
_RETRY_MAXIMUM = 30.0
_FIRST_RETRY_MAXIMUM = 5.0  # while there is none yet, and the proxy serves nobody


class CertificateError(PymeshError):
    """What was signed, or what lies on disk, is not a certificate of this workload."""


class WorkloadIdentity:
    """`certificate_file` holds key and chain (one file: replaced together), `root_file` the mesh's root.

    `ready` is set as soon as there is a certificate; `not_after` is in seconds since the epoch. `spiffe_id` is in
    cluster.local until a certificate tells in which trust domain the mesh is.
    """

    def __init__(
        self,
        directory: Path,
        spiffe_id: str,
        sign: Sign,
        secrets: SecretStore,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random_value: Callable[[], float] = random.random,
    ) -> None:
        self.spiffe_id = self._wanted = spiffe_id
        self.certificate_file = directory / "certificate.pem"
        self.root_file = directory / "root.pem"
        self.ready = asyncio.Event()
        self.renewals = 0
        self.failures = 0
        self._sign = sign
        self._secrets = secrets
        self._clock = clock
        self._sleep = sleep
        self._random = random_value
        self._facts: CertificateFacts | None = None
        self._renew_at = 0.0
        self._request: CertificateRequest | None = None

    @property
    def not_after(self) -> float | None:
        return self._facts.not_after if self._facts else None

    def describe(self) -> dict[str, Any]:
        """For the admin page /certs."""
        facts = self._facts
        if facts is None:
            return {"spiffe_id": self.spiffe_id, "state": "missing", "failures": self.failures}
        return {
            "spiffe_id": self.spiffe_id,
            "state": "valid" if facts.not_after > self._clock() else "expired",
            "serial_number": facts.serial_number,
            "valid_from": _rfc3339(facts.not_before),
            "expiration_time": _rfc3339(facts.not_after),
            "renewals": self.renewals,
            "failures": self.failures,
        }

    def load(self) -> bool:
        """Take the certificate that lies on disk. False if there is none that serves; the log says why."""
        if not self.certificate_file.exists():
            return False
        try:
            self._accept(*self._read(), self.certificate_file.stat().st_mtime)
        except (CertificateError, OSError, ValueError) as error:
            log.info("the certificate in %s is not usable: %s", self.certificate_file, error)
            return False
        return True

    def prepare(self) -> None:
        """Begin with what takes time, if there is no certificate on disk; `run` goes on from there."""
        if not self.certificate_file.exists():
            self._request = CertificateRequest(self._wanted)

    async def run(self) -> None:
        """Endless: load or make the certificate, and renew it in time. To be spawned."""
        if self._facts is None:
            self.load()
        while True:
            while (left := self._renew_at - self._clock()) > 0:
                await self._sleep(min(left, _LONGEST_SLEEP))
            await self._renew_until_done()

    async def renew(self) -> None:
        """Make a key, have it certified, write both, publish them. Raises PymeshError, and nothing has changed then."""
        request, self._request = self._request or CertificateRequest(self._wanted), None
        key, csr = await request.read()
        chain = [pem.strip() + "\n" for pem in await self._sign(csr)]
        certificate, root = TlsCertificate("".join(chain[:-1]), key), "".join(chain[-1:])
        facts = self._check(certificate, root)
        write_private(self.root_file, root)
        write_private(self.certificate_file, key + certificate.certificate_chain)
        self._publish(certificate, root, facts, self._clock())
        self.renewals += 1

    async def _renew_until_done(self) -> None:
        maximum = _RETRY_MAXIMUM if self._facts else _FIRST_RETRY_MAXIMUM
        delays = exponential_backoff(_RETRY_BASE, maximum, self._random)
        while True:
            try:
                return await self.renew()
            except PymeshError as error:
                self.failures += 1
                delay = next(delays)
                log.warning("no new certificate, next try in %.1f s: %s", delay, error)
                await self._sleep(delay)

    def _read(self) -> tuple[TlsCertificate, str]:
        """The key stands before the chain."""
        text = self.certificate_file.read_text(encoding="ascii")
        key, begin, chain = text.partition("-----BEGIN CERTIFICATE-----")
        return TlsCertificate(begin + chain, key), self.root_file.read_text(encoding="ascii")

    def _accept(self, certificate: TlsCertificate, root: str, written_at: float) -> None:
        self._publish(certificate, root, self._check(certificate, root), min(written_at, self._clock()))

    def _check(self, certificate: TlsCertificate, root: str) -> CertificateFacts:
        try:
            facts = rehearse_handshake(certificate, root)
        except (ssl.SSLError, ValueError) as error:
            raise CertificateError(f"it would not serve: {error}") from error
        if self._own_uri(facts) is None:
            raise CertificateError(f"it is for {', '.join(facts.uris) or 'nobody'}, not {self._wanted}")
        return facts

    def _own_uri(self, facts: CertificateFacts) -> str | None:
        """The CA knows the mesh's trust domain; all else must be as we asked."""
        workload = self._wanted.partition("/ns/")[2]
        return next((uri for uri in facts.uris if uri.partition("/ns/")[2] == workload), None)

    def _publish(self, certificate: TlsCertificate, root: str, facts: CertificateFacts, received_at: float) -> None:
        """The root first: whoever hears of the new certificate finds the root that it goes with."""
        self._facts = facts
        self.spiffe_id = self._own_uri(facts) or self._wanted
        # Half of its life, give or take 1 %, so that a fleet does not come all at once. Its life begins when we get it:
        # the CA backdates certificates, by more than a short life.
        share = _RENEW_AT + _RENEW_JITTER * (2 * self._random() - 1)
        self._renew_at = received_at + (facts.not_after - received_at) * share
        self._secrets.apply(SecretConfig(ROOT_CA, validation=CertificateValidation(trusted_ca=root)))
        self._secrets.apply(
            SecretConfig(OWN_CERTIFICATE, tls_certificate=replace(certificate, principal=self.spiffe_id))
        )
        self.ready.set()


def _rfc3339(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
