"""Which mTLS mode holds at a workload's port: PeerAuthentication's ladder."""

from collections.abc import Iterable
from typing import NamedTuple

from pymesh.control.model.peer_authentication import MutualTLS, MutualTLSMode, PeerAuthentication
from pymesh.control.model.resource import Key, Resource

DEFAULT_MODE: MutualTLSMode = "PERMISSIVE"


class _Selected(NamedTuple):
    labels: dict[str, str]
    mode: MutualTLSMode
    ports: dict[int, MutualTLS]
    key: Key


class Decided(NamedTuple):
    """A mode, and the field of the object that says so: `mtls` or `portLevelMtls.8080`; by default, none does."""

    mode: MutualTLSMode
    key: Key | None = None
    field: str = "mtls"


_UNSET = Decided("UNSET")


class PeerAuthentications:
    """Port, then workload, then namespace, then mesh; the oldest of each; UNSET inherits.

    A selector in the root namespace is ignored, as are ports of a rule without a selector.
    Istio: ComposePeerAuthentication in pilot/pkg/security/authn/policy_applier.go.
    """

    def __init__(self, resources: Iterable[Resource[PeerAuthentication]], root_namespace: str) -> None:
        """`resources` come oldest first."""
        self._namespaces: dict[str, Decided] = {}
        self._workloads: dict[str, list[_Selected]] = {}
        for resource in resources:
            self._add(resource.key, resource.spec, resource.namespace == root_namespace)
        self._mesh = self._namespaces.pop(root_namespace, _UNSET)
        self._root = root_namespace

    def mode(self, namespace: str, labels: dict[str, str], port: int) -> MutualTLSMode:
        """`port` is the workload's own, not the service's."""
        return self.decide(namespace, labels, port).mode

    def decide(self, namespace: str, labels: dict[str, str], port: int) -> Decided:
        """The mode, and who says so."""
        rule = self._rule(namespace, labels)
        if rule is None:
            return self._of_namespace(namespace)
        at_port = rule.ports.get(port)
        if at_port is not None and at_port.mode != "UNSET":
            return Decided(at_port.mode, rule.key, f"portLevelMtls.{port}")
        return self._of_namespace(namespace) if rule.mode == "UNSET" else Decided(rule.mode, rule.key)

    def ports(self, namespace: str, labels: dict[str, str]) -> tuple[int, ...]:
        """Those of a workload of which its rule speaks, declared or not."""
        rule = self._rule(namespace, labels)
        return tuple(sorted(rule.ports)) if rule is not None else ()

    def namespace_mode(self, namespace: str) -> MutualTLSMode:
        """What clients assume of a service that they know only by its namespace."""
        return self._of_namespace(namespace).mode

    def _of_namespace(self, namespace: str) -> Decided:
        for decided in (self._namespaces.get(namespace, _UNSET), self._mesh):
            if decided.mode != "UNSET":
                return decided
        return Decided(DEFAULT_MODE)

    def _rule(self, namespace: str, labels: dict[str, str]) -> _Selected | None:
        return next((rule for rule in self._workloads.get(namespace, ()) if _selects(rule.labels, labels)), None)

    def _add(self, key: Key, spec: PeerAuthentication, is_root: bool) -> None:
        mode: MutualTLSMode = spec.mtls.mode if spec.mtls is not None else "UNSET"
        labels = spec.selector.match_labels if spec.selector is not None else {}
        if not labels:
            self._namespaces.setdefault(key.namespace, Decided(mode, key))
        elif not is_root:
            selected = _Selected(labels, mode, spec.port_level_mtls or {}, key)
            self._workloads.setdefault(key.namespace, []).append(selected)


def _selects(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return selector.items() <= labels.items()
