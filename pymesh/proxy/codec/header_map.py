"""The fields of one HTTP head."""

from collections.abc import Iterable

Pair = tuple[bytes, bytes]


class HeaderMap(dict[bytes, bytes]):
    """Field names (lower-case) and values, in the order in which they came.

    The dict itself holds the first value of each name, so `get` and `in` cost what a dict costs; `repeated` holds the
    further values of the names that came more than once, which are written where they came: `_places` says behind which
    names. Keys must not be assigned directly where a name may have further values: `set`, `add` and `remove` keep the
    parts together.
    """

    # A class default rather than a slot: the parser makes empty maps by `__new__` alone, at a third of the price.
    repeated: dict[bytes, list[bytes]] | None = None
    _places: dict[bytes, list[bytes]] | None = None

    def __init__(self, pairs: Iterable[Pair] = ()) -> None:
        super().__init__()
        for name, value in pairs:
            self.add(name, value)

    def get_all(self, name: bytes) -> list[bytes]:
        """All values of a name, in order."""
        first = self.get(name)
        if first is None:
            return []
        return [first, *self.repeated.get(name, ())] if self.repeated else [first]

    def get_joined(self, name: bytes) -> bytes | None:
        """All values of a list field as one (RFC 9110 5.3), or None."""
        return b",".join(self.get_all(name)) if self.repeated and name in self.repeated else self.get(name)

    def get_members(self, name: bytes) -> list[bytes]:
        """The members of a list of tokens that have no case (RFC 9110 5.6.1), in lower case."""
        return [member.strip() for member in (self.get_joined(name) or b"").lower().split(b",")]

    def set(self, name: bytes, value: bytes) -> None:
        """The field has this value only."""
        self[name] = value
        if self.repeated:
            self.repeated.pop(name, None)

    def add(self, name: bytes, value: bytes) -> None:
        """The field has this value too."""
        if name not in self:
            self[name] = value
            return
        if self.repeated is None or self._places is None:
            self.repeated, self._places = {}, {}
        self.repeated.setdefault(name, []).append(value)
        self._places.setdefault(next(reversed(self)), []).append(name)

    def append(self, name: bytes, value: bytes) -> None:
        """Add a member to a list field and make it one line, `a,b`, as Envoy does with x-forwarded-for."""
        present = self.get_joined(name)
        self.set(name, value if not present else present + b"," + value)

    def join(self, names: frozenset[bytes]) -> None:
        """Make one line of each of these fields that came in several; an empty value adds nothing to it."""
        for name in names.intersection(self.repeated or ()):
            self.set(name, b",".join(filter(None, self.get_all(name))))

    def count(self) -> int:
        """How many field lines there are."""
        return len(self) + (sum(map(len, self.repeated.values())) if self.repeated else 0)

    def remove(self, name: bytes) -> None:
        """No effect where there is no such field."""
        if self.pop(name, None) is not None and self.repeated:
            self.repeated.pop(name, None)

    def pairs(self) -> Iterable[Pair]:
        """Every field line; do not change the map meanwhile."""
        return super().items() if not self.repeated else self._all_pairs()

    def items(self) -> list[Pair]:  # type: ignore[override]  # a dict's items would lose the repeated values
        return list(self.pairs())

    def copy(self) -> "HeaderMap":
        clone = HeaderMap()
        clone.update(self)
        if self.repeated:
            clone.repeated = {name: list(values) for name, values in self.repeated.items()}
            clone._places = {anchor: list(names) for anchor, names in (self._places or {}).items()}
        return clone

    def _all_pairs(self) -> Iterable[Pair]:
        left = {name: values[::-1] for name, values in (self.repeated or {}).items()}
        places = self._places or {}
        for name, value in super().items():
            yield name, value
            for further in places.get(name, ()):
                if left.get(further):
                    yield further, left[further].pop()
        for name, values in left.items():  # what they came behind has gone
            while values:
                yield name, values.pop()
