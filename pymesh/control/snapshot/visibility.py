"""exportTo: which namespaces see an object. Pure."""

from collections.abc import Iterable
from typing import NamedTuple


class Visibility(NamedTuple):
    """`namespaces` beside `is_public` is empty. Neither: nobody sees it (`~`)."""

    owner: str
    is_public: bool
    namespaces: frozenset[str] = frozenset()

    def includes(self, namespace: str) -> bool:
        return self.is_public or namespace in self.namespaces

    @property
    def is_private(self) -> bool:
        return not self.is_public and self.namespaces <= {self.owner}

    def widens(self, other: "Visibility") -> bool:
        """Whether it names all namespaces that the other names, and more."""
        return bool(other.namespaces) and self.namespaces > other.namespaces

    def is_shared_with(self, other: "Visibility") -> bool:
        """Whether some namespace may see both."""
        if self.is_public or other.is_public:
            return all(item.is_public or item.namespaces for item in (self, other))
        return bool(self.namespaces & other.namespaces)

    def rank(self, namespace: str) -> int:
        """Rules are looked at in this order: private to the namespace, exported to it, public.

        Istio: SelectVirtualServices in pilot/pkg/model/sidecar.go.
        """
        if self.is_public:
            return 2
        return 0 if namespace == self.owner else 1


def visibility(export_to: Iterable[str], default: Iterable[str], owner: str) -> Visibility:
    """`.` is the owner's namespace, `*` all, `~` none; nothing given is the mesh's default."""
    values = set(export_to) or set(default)
    if "*" in values:
        return Visibility(owner, True)
    return Visibility(owner, False, frozenset(owner if value == "." else value for value in values - {"~"}))
