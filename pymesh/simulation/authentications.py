"""Which authentication policies had a say on a call that arrived at a workload: for the coverage of cases."""

from collections.abc import Iterator
from typing import Any

from pymesh.control.model.kinds import PEER_AUTHENTICATION, REQUEST_AUTHENTICATION
from pymesh.control.model.resource import Resource
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.simulation.decision import Inbound, Rule


def find_authentications(view: ProxyView, port: int, inbound: Inbound) -> Iterator[Rule]:
    """The one PeerAuthentication that decided, unless it is a gateway's; and the rules by which a token was judged: of
    one that was accepted that of its issuer, of one that was refused all, for each might have accepted it."""
    told = view.node.metadata
    decided = view.snapshot.peer_authentications.decide(told.namespace, told.labels, port)
    if decided.key is not None and not view.is_gateway:
        yield Rule(decided.key, decided.field)
    issuer = (inbound.request_principal or "").rpartition("/")[0]
    for resource in view.request_authentications if inbound.authn in ("ALLOW", "DENY") else ():
        for index, rule in enumerate(resource.spec.jwt_rules):
            if inbound.authn == "DENY" or rule.issuer == issuer:
                yield Rule(resource.key, f"jwtRules[{index}]")


def all_authentications(resource: Resource[Any]) -> Iterator[Rule]:
    """Those that could have a say."""
    spec = resource.spec
    if resource.kind == REQUEST_AUTHENTICATION:
        yield from (Rule(resource.key, f"jwtRules[{index}]") for index in range(len(spec.jwt_rules)))
    elif resource.kind == PEER_AUTHENTICATION:
        if spec.mtls is not None and spec.mtls.mode != "UNSET":
            yield Rule(resource.key, "mtls")
        ports = spec.port_level_mtls or {}
        yield from (Rule(resource.key, f"portLevelMtls.{port}") for port in ports if ports[port].mode != "UNSET")
