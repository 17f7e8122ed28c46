"""The hosts that a Sidecar's egress listener imports: `namespace/dnsName`. Pure."""

from collections.abc import Iterable

from pymesh.control.snapshot.host_index import is_subset

_ANY = "*"
_OWN = "."
_NONE = "~"


class Imports:
    """`./*` is the own namespace, `*/host` any, `~/*` nothing; `~ns/host` takes away what another entry imports."""

    __slots__ = ("_excluded", "_hosts")

    def __init__(self, hosts: Iterable[str], owner: str) -> None:
        self._hosts: dict[str, list[str]] = {}
        self._excluded: dict[str, list[str]] = {}
        for item in hosts:
            namespace, _, host = item.partition("/")
            is_excluded = namespace.startswith(_NONE) and namespace != _NONE
            namespace = namespace.removeprefix(_NONE) if is_excluded else namespace
            if namespace != _NONE:
                table = self._excluded if is_excluded else self._hosts
                table.setdefault(owner if namespace == _OWN else namespace, []).append(host.lower())

    def include_service(self, namespace: str, host: str) -> bool:
        if any(is_subset(host, excluded) for excluded in _of(self._excluded, namespace)):
            return False
        return any(is_subset(host, imported) for imported in _of(self._hosts, namespace))

    def include_rule(self, namespace: str, hosts: Iterable[str]) -> bool:
        """One imported host brings the whole VirtualService, its other hosts among it."""
        return any(self._touch(namespace, host) for host in hosts)

    def _touch(self, namespace: str, host: str) -> bool:
        if any(is_subset(host, excluded) for excluded in _of(self._excluded, namespace)):
            return False
        imported = _of(self._hosts, namespace)
        return any(is_subset(host, one) or is_subset(one, host) for one in imported)


def _of(table: dict[str, list[str]], namespace: str) -> list[str]:
    return [*table.get(namespace, ()), *table.get(_ANY, ())]
