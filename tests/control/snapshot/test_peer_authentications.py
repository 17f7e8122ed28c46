"""The ladder: port, workload, namespace, mesh."""

from pymesh.control.model.kinds import PEER_AUTHENTICATION
from pymesh.control.model.messages import WorkloadSelector
from pymesh.control.model.peer_authentication import MutualTLS, MutualTLSMode, PeerAuthentication
from pymesh.control.model.resource import Metadata, Resource
from pymesh.control.snapshot.peer_authentications import PeerAuthentications

ROOT = "istio-system"


def _rule(
    namespace: str,
    mode: MutualTLSMode,
    selector: dict[str, str] | None = None,
    ports: dict[int, MutualTLSMode] | None = None,
) -> Resource[PeerAuthentication]:
    spec = PeerAuthentication(
        selector=WorkloadSelector(selector) if selector else None,
        mtls=MutualTLS(mode),
        port_level_mtls={port: MutualTLS(at_port) for port, at_port in (ports or {}).items()},
    )
    return Resource(kind=PEER_AUTHENTICATION, metadata=Metadata(name="x", namespace=namespace), spec=spec)


def _mode(*rules: Resource[PeerAuthentication], port: int = 80) -> MutualTLSMode:
    return PeerAuthentications(rules, ROOT).mode("a", {"app": "x"}, port)


def test_nothing_said_is_permissive():
    assert _mode() == "PERMISSIVE"


def test_namespace_beats_mesh():
    assert _mode(_rule(ROOT, "STRICT"), _rule("a", "DISABLE")) == "DISABLE"


def test_workload_beats_namespace():
    assert _mode(_rule("a", "STRICT"), _rule("a", "PERMISSIVE", {"app": "x"})) == "PERMISSIVE"


def test_port_beats_workload():
    rule = _rule("a", "STRICT", {"app": "x"}, {8080: "DISABLE"})
    assert _mode(rule, port=8080) == "DISABLE"
    assert _mode(rule, port=8081) == "STRICT"


def test_unset_inherits():
    rules = (_rule(ROOT, "STRICT"), _rule("a", "UNSET"), _rule("a", "UNSET", {"app": "x"}, {80: "UNSET"}))
    assert _mode(*rules) == "STRICT"


def test_oldest_of_a_scope_wins():
    assert _mode(_rule("a", "STRICT"), _rule("a", "DISABLE")) == "STRICT"


def test_selector_in_the_root_namespace_is_ignored():
    rules = PeerAuthentications([_rule(ROOT, "STRICT", {"app": "x"})], ROOT)
    assert rules.mode(ROOT, {"app": "x"}, 80) == "PERMISSIVE"


def test_rule_for_other_workloads_does_not_count():
    assert _mode(_rule("a", "STRICT", {"app": "other"})) == "PERMISSIVE"


def test_clients_know_only_namespace_and_mesh():
    rules = PeerAuthentications([_rule("a", "DISABLE", {"app": "x"})], ROOT)
    assert rules.namespace_mode("a") == "PERMISSIVE"
