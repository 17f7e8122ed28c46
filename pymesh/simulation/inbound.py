"""The verdicts on a call that arrives at a workload: was it mTLS, who is asking, may they."""

from typing import Any

from pymesh.proxy.downstream.access_verdict import DENY, Access
from pymesh.proxy.http_filters import jwt_authn
from pymesh.simulation.decision import (
    MTLS_ERROR,
    NO_FILTER_CHAIN,
    NO_LISTENER,
    TLS_ERROR,
    Authorization,
    Inbound,
)
from pymesh.simulation.traffic import Trail

_REFUSED = (NO_LISTENER, NO_FILTER_CHAIN, TLS_ERROR, MTLS_ERROR)


def judge(trail: Trail) -> Inbound:
    """The verdicts of the proxy's own filters."""
    if trail.decision.error in _REFUSED:
        return Inbound("rejected")
    mtls = "mutual_tls" if trail.has_peer else "none"
    access = trail.access
    if access is None:
        return Inbound(mtls)
    authn = access.authn
    authz = Authorization(access.authz.verdict, access.authz.policy or None) if authn.verdict != DENY else None
    return Inbound(mtls, str(authn.verdict), authz, _principal(access), str(authn.reason) or None)


def _principal(access: Access) -> str | None:
    """Istio's request principal, `<issuer>/<subject>`, of the token that was verified."""
    found: Any = access.call.dynamic_metadata.get(jwt_authn.NAME, {})
    for claims in found.values():
        if isinstance(claims, dict) and "iss" in claims:
            return f"{_first(claims['iss'])}/{_first(claims.get('sub', ''))}"
    return None


def _first(claim: Any) -> Any:
    return claim[0] if isinstance(claim, list) and claim else claim
