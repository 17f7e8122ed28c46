"""Rules of a PeerAuthentication."""

from pymesh.control.model.peer_authentication import PeerAuthentication
from pymesh.control.model.resource import Metadata
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.control.model.validation.selector import check_selector


def check_peer_authentication(spec: PeerAuthentication, metadata: Metadata, at: Scope) -> None:
    check_selector(spec.selector, at["selector"])
    for port in spec.port_level_mtls:
        syntax.check_port(port, at["portLevelMtls"][str(port)])
    has_selector = spec.selector is not None and bool(spec.selector.match_labels)
    at["portLevelMtls"].require(has_selector or not spec.port_level_mtls, "needs a selector")
