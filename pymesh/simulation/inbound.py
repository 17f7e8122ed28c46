"""The verdicts on a call that arrives at a workload: was it mTLS, who is asking, may they."""

from dataclasses import replace

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.downstream.access_verdict import DENY, authorize
from pymesh.proxy.tls.peer_identity import PeerIdentity
from pymesh.simulation.decision import (
    MTLS_ERROR,
    NO_FILTER_CHAIN,
    NO_LISTENER,
    RBAC_DENIED,
    TLS_ERROR,
    Authorization,
    Decision,
    Inbound,
)
from pymesh.simulation.request import build_request
from pymesh.simulation.traffic import Trail

_REFUSED = (NO_LISTENER, NO_FILTER_CHAIN, TLS_ERROR, MTLS_ERROR)


def judge(trail: Trail) -> Decision:
    """The decision with its verdicts, and with the error that they make of it."""
    decision = trail.decision
    authz = _authorize(trail)
    decision = replace(decision, inbound=Inbound(_mtls(trail), authz=authz))
    if authz is not None and authz.verdict == DENY:
        return replace(decision, error=RBAC_DENIED, endpoints=None)
    return decision


def _mtls(trail: Trail) -> str:
    if trail.decision.error in _REFUSED:
        return "rejected"
    return "mutual_tls" if _is_mutual(trail) else "none"


def _is_mutual(trail: Trail) -> bool:
    return trail.chain is not None and trail.chain.tls is not None and trail.call.is_mtls


def _authorize(trail: Trail) -> Authorization | None:
    """By the proxy's own filters; None where the call did not come so far."""
    if trail.chain is None or trail.decision.error:
        return None
    # A TCP connection has neither method nor path; without the chain's TLS nobody has shown who they are.
    request = trail.request or replace(
        build_request(trail.call, trail.address), method=b"", path=b"", authority=b"", headers=HeaderMap()
    )
    if _is_mutual(trail):
        request = replace(request, peer=PeerIdentity((trail.call.principal,), (), "", ""))
    found = authorize(trail.chain, request)
    return Authorization(found.verdict, found.policy or None)
