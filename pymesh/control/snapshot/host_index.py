"""Hosts and wildcards (`*.example.com`): the most specific one wins. Pure."""

from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


def covering_hosts(host: str) -> Iterator[str]:
    """`host` itself, then every wildcard that covers it, longest first, `*` last. `host` may be a wildcard."""
    yield host
    rest = host
    while "." in rest:
        rest = rest.partition(".")[2]
        if f"*.{rest}" != host:
            yield f"*.{rest}"
    if host != "*":
        yield "*"


def is_subset(host: str, of: str) -> bool:
    """Whether every name that `host` stands for, `of` stands for, too."""
    if of == "*" or host == of:
        return True
    return of.startswith("*") and host.endswith(of[1:]) and len(host) > len(of[1:])


def intersect(one: str, other: str) -> str | None:
    """The narrower of two hosts where one covers the other, else None."""
    if is_subset(one, other):
        return one
    return other if is_subset(other, one) else None


class HostIndex(Generic[T]):
    """host -> what was put there first."""

    __slots__ = ("_items",)

    def __init__(self) -> None:
        self._items: dict[str, T] = {}

    def add(self, host: str, item: T) -> T:
        """Returns what is there now: `item`, or what came first."""
        return self._items.setdefault(host, item)

    def exact(self, host: str) -> T | None:
        return self._items.get(host)

    def most_specific(self, host: str) -> T | None:
        found = self.most_specific_item(host)
        return found[1] if found is not None else None

    def most_specific_item(self, host: str) -> tuple[str, T] | None:
        """With the host under which it stands. Istio: MostSpecificHostMatch in pilot/pkg/model/push_context.go."""
        for candidate in covering_hosts(host):
            found = self._items.get(candidate)
            if found is not None:
                return candidate, found
        return None

    def hosts(self) -> Iterator[str]:
        return iter(self._items)

    def items(self) -> Iterator[tuple[str, T]]:
        return iter(self._items.items())
