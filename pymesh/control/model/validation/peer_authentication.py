"""Rules of a PeerAuthentication."""

from pymesh.control.model.peer_authentication import PeerAuthentication
from pymesh.control.model.resource import Metadata
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax


def check_peer_authentication(spec: PeerAuthentication, metadata: Metadata, at: Scope) -> None:
    if spec.selector is not None:
        syntax.check_labels(spec.selector.match_labels, at["selector"]["matchLabels"])
    for port in spec.port_level_mtls:
        syntax.check_port(port, at["portLevelMtls"][str(port)])
    has_selector = spec.selector is not None and bool(spec.selector.match_labels)
    at["portLevelMtls"].require(has_selector or not spec.port_level_mtls, "needs a selector")
