"""Whether a call may pass a filter chain, decided by the chain's own filters without a connection. Pure.

Simulators ask here; the data plane runs the filters themselves.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pymesh.proxy.downstream.hcm_config import HttpConnectionManagerConfig
from pymesh.proxy.downstream.listener_config import FilterChainConfig
from pymesh.proxy.downstream.network_rbac_config import NetworkRbacConfig
from pymesh.proxy.downstream.request_headers import RequestHeaderPolicy
from pymesh.proxy.http_filters import jwt_authn
from pymesh.proxy.http_filters.jwt_authn import JwtAuthenticator, JwtAuthnConfig, status_code
from pymesh.proxy.http_filters.rbac import RbacConfig
from pymesh.proxy.jwt_verify.status import Status
from pymesh.proxy.rbac_engine.engine import Call, RbacEngine
from pymesh.proxy.rbac_engine.rule import Rbac

ALLOW, DENY, NONE = "ALLOW", "DENY", "NONE"


class Authentication(NamedTuple):
    """By tokens. NONE: there was none, or nothing asks for any. Of a DENY, `status` and `reason` are the answer's."""

    verdict: str = NONE
    reason: str = ""
    status: int = 0


class Authorization(NamedTuple):
    """`policy` is the one that decided, `ns[default]-policy[name]-rule[0]`; empty where none matched."""

    verdict: str = ALLOW
    policy: str = ""


class Access(NamedTuple):
    """`call` is as the filters leave it: without verified tokens, with the headers that they made."""

    authn: Authentication
    authz: Authorization
    call: Any


class _Judged:
    """A call that filters may change."""

    def __init__(self, chain: FilterChainConfig, call: Any) -> None:
        self._call = call
        self.remote_address = _client_address(chain, call) or call.remote_address
        self.headers = call.headers.copy()
        self.path = call.path
        self.dynamic_metadata: Mapping[str, Any] = call.dynamic_metadata

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)


def judge_access(chain: FilterChainConfig, call: Call, now: float) -> Access:
    """`now` is seconds since the epoch. Who was not authenticated is not asked for more: authz is as if allowed."""
    judged: Any = _Judged(chain, call)
    authn = _authenticate(chain, judged, now)
    if authn.verdict == DENY:
        return Access(authn, Authorization(), judged)
    return Access(authn, authorize(chain, judged), judged)


def _client_address(chain: FilterChainConfig, call: Any) -> str | None:
    """Of x-forwarded-for, as far as the chain trusts it."""
    manager = chain.network_filter
    if not isinstance(manager, HttpConnectionManagerConfig):
        return None
    return RequestHeaderPolicy(manager).client_address(call.headers)


def _authenticate(chain: FilterChainConfig, judged: Any, now: float) -> Authentication:
    for config in _http_configs(chain):
        if isinstance(config, JwtAuthnConfig):
            authenticator, metadata = JwtAuthenticator(config), dict[str, object]()
            status = Status.OK if authenticator.is_preflight(judged) else authenticator.verify(judged, now, metadata)
            if status is not Status.OK:
                return Authentication(DENY, status, status_code(status))
            if metadata:
                judged.dynamic_metadata = {**judged.dynamic_metadata, jwt_authn.NAME: metadata}
                return Authentication(ALLOW)
    return Authentication()


def authorize(chain: FilterChainConfig, call: Call) -> Authorization:
    """By the chain's RBAC filters, in their order; the first that denies has the last word."""
    policy = ""
    for rules in _rules(chain):
        verdict = RbacEngine(rules).judge(call)
        if not verdict.is_allowed:
            return Authorization(DENY, verdict.policy)
        policy = verdict.policy or policy
    return Authorization(ALLOW, policy)


def _rules(chain: FilterChainConfig) -> Iterator[Rbac]:
    """Without those that only mark a call."""
    found = [gate.rules for gate in chain.gates if isinstance(gate, NetworkRbacConfig)]
    found += [config.rules for config in _http_configs(chain) if isinstance(config, RbacConfig)]
    yield from (rules for rules in found if rules is not None and rules.action != "LOG")


def _http_configs(chain: FilterChainConfig) -> Iterator[Any]:
    manager = chain.network_filter
    if isinstance(manager, HttpConnectionManagerConfig):
        yield from (item.config for item in manager.http_filters)
