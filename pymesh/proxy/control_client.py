"""HTTP to the control plane: trust, certificate signing, registration, polls, telemetry. No retry and no state of xDS.

Trust begins with the join token, which carries the hash of the mesh's root certificate: the first contact fetches the
root without verifying and compares. From then on the control plane's certificate is verified against that root, and
once the proxy has a certificate of its own, both sides are.
"""

import base64
import hashlib
import logging
import os
import ssl
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from pymesh import xds
from pymesh.errors import ControlUnreachableError, PymeshError
from pymesh.proxy.http_client import HttpClient, HttpError
from pymesh.state_dir import write_private

log = logging.getLogger(__name__)

CONTROL_HOSTNAME = "istiod.istio-system.svc"  # the name in the control plane's certificate
_JSON = {"content-type": "application/json"}
_CALL_SECONDS = 5.0
_MOST_ERROR_CHARACTERS = 300

_T = TypeVar("_T")


class ControlRefusedError(PymeshError):
    """The control plane answered, and said no."""


class UnknownNonceError(PymeshError):
    """410: the control plane does not know what this proxy holds; poll anew from the versions."""


class _Certificate(NamedTuple):
    file: Path
    not_after: float


class JoinToken(msgspec.Struct, frozen=True):
    """The claims that matter to the bearer. The signature is for the control plane to check."""

    ca_sha256: str = ""


class ControlClient:
    """One control plane. The URL and the token are asked for anew each time: the control plane may move or come later.

    Every call raises ControlUnreachableError when no answer came, and ControlRefusedError for an answer of 4xx or 5xx.
    `on_new_root` is called when the mesh turns out to have another root than the one that this proxy knew, and its
    certificate is thus worth nothing.
    """

    def __init__(
        self,
        find_url: Callable[[], str],
        find_token: Callable[[], str | None],
        root_file: Path,
        on_new_root: Callable[[], None] = lambda: None,
    ) -> None:
        self._find_url = find_url
        self._find_token = find_token
        self._root_file = root_file
        self._on_new_root = on_new_root
        self._certificate: _Certificate | None = None
        self._tls: ssl.SSLContext | None = None
        self._http = HttpClient()

    @property
    def url(self) -> str:
        return self._find_url()

    def use_certificate(self, file: Path, not_after: float) -> None:
        """Show this certificate (PEM, with its key) from the next connection on; again after each renewal.

        After `not_after`, seconds since the epoch, the join token is the proof again.
        """
        self._certificate = _Certificate(file, not_after)
        self._tls = None

    def close(self) -> None:
        self._http.close()

    # what the control plane serves

    async def poll(self, poll: xds.DeltaPoll, seconds: float = xds.POLL_SECONDS) -> xds.DeltaAnswer | None:
        """One long-poll; None when nothing changed. Raises UnknownNonceError too."""
        status, body = await self._call("POST", xds.DELTA_PATH, poll, seconds + xds.POLL_GRACE)
        if status == HTTPStatus.NOT_MODIFIED:
            return None
        return _decode(body, xds.DeltaAnswer)

    async def sign(self, csr: str, validity: int = 0) -> tuple[str, ...]:
        """Have a PEM CSR signed: the chain, leaf first, root last. Proof is the certificate, or else the join token.

        `validity` is the lifetime to ask for, in seconds; 0 leaves it to the CA. The errors name the control plane,
        which who wants a certificate does not know.
        """
        request = xds.CertificateRequest(csr, validity)
        try:
            _, body = await self._call("POST", xds.CERTIFICATE_PATH, request, _CALL_SECONDS)
        except (ControlUnreachableError, ControlRefusedError) as error:
            raise type(error)(f"control plane at {self.url}: {error}") from error
        return _decode(body, xds.CertificateResponse).cert_chain

    async def register(self, namespace: str, name: str, registration: xds.Registration) -> xds.RegistrationAnswer:
        path = f"{xds.WORKLOADS_PATH}/{namespace}/{name}"
        _, body = await self._call("PUT", path, registration, xds.LEASE_SECONDS)
        return _decode(body, xds.RegistrationAnswer) if body else xds.RegistrationAnswer()

    async def deregister(self, namespace: str, name: str, seconds: float) -> None:
        """Answers when every connected proxy has dropped the endpoint, or after `seconds` with an error."""
        await self._call("DELETE", f"{xds.WORKLOADS_PATH}/{namespace}/{name}", None, seconds)

    async def export(self, path: str, body: bytes, content_type: str = "application/x-protobuf") -> None:
        """OTLP over HTTP to xds.TRACES_PATH or xds.METRICS_PATH."""
        await self._call("POST", path, body, _CALL_SECONDS, {"content-type": content_type})

    # one call

    async def _call(
        self, method: str, path: str, body: object, seconds: float, headers: dict[str, str] = _JSON
    ) -> tuple[int, bytes]:
        tls = await self._context()
        data = body if isinstance(body, bytes) else None if body is None else msgspec.json.encode(body)
        return await self._request(method, path, data, seconds, headers | self._proof(), tls)

    async def _request(
        self, method: str, path: str, data: bytes | None, seconds: float, headers: dict[str, str], tls: ssl.SSLContext
    ) -> tuple[int, bytes]:
        url = self.url
        try:
            status, answer = await self._http.request(
                method,
                url + path,
                body=data,
                headers=headers | {"user-agent": "pymesh-proxy"},
                tls=tls,
                server_hostname=CONTROL_HOSTNAME,
                seconds=seconds,
            )
        except (OSError, HttpError) as error:
            if isinstance(error, ssl.SSLError):
                self._tls = None  # the mesh may have got a new root; look again
            raise ControlUnreachableError(_reason(error)) from error
        if status == HTTPStatus.GONE:
            raise UnknownNonceError(url)
        if status >= HTTPStatus.BAD_REQUEST:
            raise ControlRefusedError(f"{status} {_message(answer)}")
        return status, answer

    def _proof(self) -> dict[str, str]:
        token = None if self._certificate else self._find_token()
        return {"authorization": f"Bearer {token}"} if token else {}

    # trust

    async def _context(self) -> ssl.SSLContext:
        if self._certificate is not None and self._certificate.not_after <= time.time():
            self._certificate = self._tls = None
        if self._tls is None:
            self._tls = ssl.create_default_context(cadata=await self._root())
            if self._certificate is not None:
                self._tls.load_cert_chain(self._certificate.file)
        return self._tls

    async def _root(self) -> str:
        """The root that is known; fetched if there is none, or if the join token is for another one."""
        known = self._root_file.read_text() if self._root_file.exists() else None
        token = self._find_token()
        if known is not None and (token is None or decode_join_token(token).ca_sha256 == _sha256_of(known)):
            return known
        root = await self._fetch_root(token)
        if known is not None:
            self._certificate = None
            self._on_new_root()
        return root

    async def _fetch_root(self, token: str | None) -> str:
        """Get the mesh's root certificate, and believe it if it has the hash that the join token names."""
        if token is None:
            raise ControlUnreachableError("there is no join token yet")
        expected = decode_join_token(token).ca_sha256
        _, body = await self._request("GET", xds.ROOT_CERTIFICATE_PATH, None, _CALL_SECONDS, {}, _unverified())
        pem = body.decode("ascii", "replace")
        if not expected or _sha256_of(pem) != expected:
            raise ControlRefusedError("it is not the control plane that the join token is for: its root is another")
        write_private(self._root_file, pem)
        return pem


def decode_join_token(token: str) -> JoinToken:
    """The claims of a JWT, unverified. Raises PymeshError for something else."""
    parts = token.split(".")
    try:
        payload = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return msgspec.json.decode(payload, type=JoinToken)
    except (IndexError, ValueError) as error:  # msgspec's and binascii's errors are ValueErrors
        raise ControlRefusedError("the join token is not one") from error


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _sha256_of(pem: str) -> str:
    try:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.strip())).hexdigest()
    except ValueError:
        return ""


def _decode(body: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise ControlRefusedError(f"the answer is not a {kind.__name__}: {error}") from error


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    number = error.errno or 0 if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) else 0
    if number > 0:  # below 0 are getaddrinfo's
        return os.strerror(number)
    return str(error) or type(error).__name__


def _message(body: bytes) -> str:
    """The message of a Kubernetes Status or of plain text, on one line."""
    text = body.decode("utf-8", "replace")
    try:
        found = msgspec.json.decode(body)
    except msgspec.DecodeError:
        found = None
    if isinstance(found, dict):
        text = str(found.get("message") or found.get("error") or text)
    return " ".join(text.split())[:_MOST_ERROR_CHARACTERS]
