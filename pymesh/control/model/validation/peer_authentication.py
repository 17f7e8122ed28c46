"""Rules of a PeerAuthentication."""

from collections.abc import Mapping

from pymesh.control.model.messages import WorkloadSelector
from pymesh.control.model.peer_authentication import MutualTLS, PeerAuthentication
from pymesh.control.model.resource import Metadata
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.control.model.validation.selector import check_selector


def check_peer_authentication(spec: PeerAuthentication, metadata: Metadata, at: Scope) -> None:
    check_selector(spec.selector, at["selector"])
    if spec.port_level_mtls is not None:
        _check_ports(spec.port_level_mtls, spec.selector, at["portLevelMtls"])


def _check_ports(modes: Mapping[int, MutualTLS], selector: WorkloadSelector | None, at: Scope) -> None:
    at.require(modes, "must have at least one port")
    for port in modes:
        syntax.check_port(port, at[str(port)])
    at.require(selector is not None and selector.match_labels, "needs a selector")
