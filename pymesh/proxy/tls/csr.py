"""The request for a workload's certificate, with a new key, as the parent of the process that makes both sees it."""

import asyncio
import subprocess
import sys

from pymesh.errors import PymeshError
from pymesh.proxy.tls import csr_process

_KEY_END = "-----END PRIVATE KEY-----\n"


class CsrError(PymeshError):
    """The child process did not make one."""


class CertificateRequest:
    """A child process, started at once, so that its work and what the caller does before `read` overlap."""

    def __init__(self, uri: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", csr_process.__name__, uri],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    async def read(self) -> tuple[str, str]:
        """An ECDSA P-256 key (PKCS#8) and a CSR with the URI as its subjectAltName, both PEM. Raises CsrError."""
        try:
            output, errors = await asyncio.to_thread(self._process.communicate)
        except asyncio.CancelledError:
            self._process.kill()  # which ends the thread
            raise
        if self._process.returncode != 0:
            last = errors.decode(errors="replace").strip().splitlines()[-1:]
            raise CsrError(f"no certificate request was made: {' '.join(last) or self._process.returncode}")
        key, end, csr = output.decode("ascii").partition(_KEY_END)
        return key + end, csr
