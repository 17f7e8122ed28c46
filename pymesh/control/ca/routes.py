"""The CA over HTTP: the root certificate for everybody, and a certificate for who proves an identity."""

import logging
from collections.abc import Callable
from datetime import timedelta

import msgspec
from aiohttp import web
from cryptography import x509

from pymesh.control.authentication import AuthenticationError, caller_identity
from pymesh.control.ca.authority import DEFAULT_TTL, CertificateAuthority, CsrError, TtlError, load_csr
from pymesh.control.ca.join_token import ANY, JoinToken, TokenAuthority, TokenError, is_name
from pymesh.control.metrics import ControlMetrics
from pymesh.names import DEFAULT_DOMAIN
from pymesh.spiffe import SpiffeId, parse_spiffe
from pymesh.xds import CERTIFICATE_PATH, ROOT_CERTIFICATE_PATH, CertificateRequest, CertificateResponse

log = logging.getLogger(__name__)


def ca_routes(
    authority: CertificateAuthority,
    tokens: TokenAuthority,
    metrics: ControlMetrics,
    trust_domain: Callable[[], str] = lambda: DEFAULT_DOMAIN,
) -> list[web.RouteDef]:
    """`trust_domain` tells that of the certificates to come."""
    metrics.root_expiry.set(authority.not_after.timestamp())
    service = _CertificateService(authority, tokens, metrics, trust_domain)
    return [
        web.get(ROOT_CERTIFICATE_PATH, service.root_certificate),
        web.post(CERTIFICATE_PATH, service.create_certificate),
    ]


class _CertificateService:
    def __init__(
        self,
        authority: CertificateAuthority,
        tokens: TokenAuthority,
        metrics: ControlMetrics,
        trust_domain: Callable[[], str],
    ) -> None:
        self._authority = authority
        self._tokens = tokens
        self._metrics = metrics
        self._trust_domain = trust_domain

    async def root_certificate(self, request: web.Request) -> web.Response:
        return web.Response(text=self._authority.root_pem, content_type="application/x-pem-file")

    async def create_certificate(self, request: web.Request) -> web.Response:
        self._metrics.csrs.inc()
        proof = self._authenticate(request)
        body = _decode_request(await request.read())
        try:
            identity = self._identity(proof, load_csr(body.csr))
            chain = self._authority.issue(body.csr, identity, _lifetime(body.validity_duration))
        except CsrError as error:
            self._metrics.csr_parse_errors.inc()
            raise web.HTTPBadRequest(text=str(error)) from error
        except TtlError as error:
            self._metrics.csr_sign_errors.inc()
            raise web.HTTPBadRequest(text=str(error)) from error
        self._metrics.certificates_issued.inc()
        log.info("issued a certificate to %s", identity)
        return web.Response(body=msgspec.json.encode(CertificateResponse(chain)), content_type="application/json")

    def _authenticate(self, request: web.Request) -> JoinToken:
        """Whom the caller may be, by its join token or else its client certificate. Raises HTTPUnauthorized."""
        try:
            return self._proof_of(request)
        except (TokenError, AuthenticationError) as error:
            self._metrics.authentication_failures.inc()
            log.warning("refused a certificate to %s: %s", request.remote, error)
            raise web.HTTPUnauthorized(text=str(error)) from error

    def _proof_of(self, request: web.Request) -> JoinToken:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._tokens.verify(token.strip())
        identity = caller_identity(request)
        if identity is None:
            raise AuthenticationError("neither a join token nor a client certificate of the mesh was shown")
        return JoinToken(identity.namespace, identity.service_account)

    def _identity(self, proof: JoinToken, csr: x509.CertificateSigningRequest) -> SpiffeId:
        """Who the certificate is for. The proof decides; the CSR may only choose where the proof leaves a choice."""
        wanted, trust_domain = _requested_identity(csr), self._trust_domain()
        if wanted is None:
            if ANY in (proof.namespace, proof.service_account):
                self._metrics.id_extraction_errors.inc()
                raise web.HTTPBadRequest(text="the join token is for any identity, so the CSR must name one SPIFFE ID")
            return SpiffeId(proof.namespace, proof.service_account, trust_domain)
        is_ours = wanted.trust_domain in (trust_domain, DEFAULT_DOMAIN)  # which stands for the own one
        if not is_ours or not proof.allows(wanted.namespace, wanted.service_account):
            self._metrics.authentication_failures.inc()
            allowed = SpiffeId(proof.namespace, proof.service_account, trust_domain)
            raise web.HTTPForbidden(text=f"the proof of identity is for {allowed}, not for {wanted}")
        return wanted._replace(trust_domain=trust_domain)


def _decode_request(body: bytes) -> CertificateRequest:
    try:
        return msgspec.json.decode(body, type=CertificateRequest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise web.HTTPBadRequest(text=f"not a certificate request: {error}") from error


def _lifetime(seconds: int) -> timedelta:
    # What is out of the CA's range stays so, but must not be out of timedelta's.
    return timedelta(seconds=max(-1, min(seconds, 10**9))) if seconds else DEFAULT_TTL


def _requested_identity(csr: x509.CertificateSigningRequest) -> SpiffeId | None:
    """The SPIFFE ID that the CSR asks for; None if it names none. Raises CsrError for a wrong one."""
    try:
        names = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    except x509.ExtensionNotFound:
        return None
    except ValueError as error:
        raise CsrError(f"the CSR's extensions cannot be read: {error}") from error
    if not uris:
        return None
    try:
        identity = parse_spiffe(uris[0])
    except ValueError as error:
        raise CsrError(f"the CSR's name {error}") from error
    if not is_name(identity.namespace) or not is_name(identity.service_account):
        raise CsrError(f"the CSR's name {identity} has a part that is not a name")
    return identity
