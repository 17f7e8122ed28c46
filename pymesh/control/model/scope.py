"""A place in an object: its path, and the notes that take what is found there."""

import re

from pymesh.errors import Violation

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")

Step = str | int  # a key of a map or an index of a list


_MOST_NOTES = 1000


class Notes:
    """What was found in one object. `unknown`: fields that no message has, with the keys that lead there.
    `takes_quoted_numbers`: it is proto3 JSON, for which "8000" is an integer, too, and no object of Kubernetes' API.

    Nobody reads more than so many violations, and an object of 3 MB could have a million.
    """

    __slots__ = ("takes_quoted_numbers", "unknown", "violations", "warnings")

    def __init__(self) -> None:
        self.takes_quoted_numbers = False
        self.violations: list[Violation] = []
        self.warnings: list[Violation] = []
        self.unknown: list[tuple[Step, ...]] = []

    @property
    def is_full(self) -> bool:
        return len(self.violations) >= _MOST_NOTES


class Scope:
    """`Scope("spec")["http"][0]` is `spec.http[0]`. All scopes of one object share their notes."""

    __slots__ = ("_key", "_parent", "notes")

    # One is made for each field of each object, so that the path is put together only where there is something to say.
    def __init__(self, key: Step = "", parent: "Scope | None" = None) -> None:
        self._key = key
        self._parent = parent
        self.notes: Notes = Notes() if parent is None else parent.notes

    def __getitem__(self, key: Step) -> "Scope":
        return Scope(key, self)

    def __repr__(self) -> str:
        return f"<Scope {self.path} violations={len(self.violations)}>"

    @property
    def steps(self) -> tuple[Step, ...]:
        """The keys that lead here; the first one is that of the outermost scope."""
        if self._parent is None:
            return () if self._key == "" else (self._key,)
        return (*self._parent.steps, self._key)

    @property
    def path(self) -> str:
        return path_of(self.steps)

    @property
    def violations(self) -> list[Violation]:
        return self.notes.violations

    @property
    def warnings(self) -> list[Violation]:
        return self.notes.warnings

    def fail(self, message: str) -> None:
        if not self.notes.is_full:
            self.notes.violations.append(Violation(self.path or ".", message))

    def fail_unknown(self, message: str) -> None:
        self.fail(message)
        self.notes.unknown.append(self.steps)

    def warn(self, message: str) -> None:
        """Note what is valid and yet not what its author may expect."""
        if len(self.notes.warnings) < _MOST_NOTES:
            self.notes.warnings.append(Violation(self.path or ".", message))

    def require(self, is_valid: object, message: str) -> None:
        if not is_valid:
            self.fail(message)


def path_of(steps: tuple[Step, ...]) -> str:
    """`("spec", "http", 0, "match")` is `spec.http[0].match`."""
    path = ""
    for step in steps:
        if isinstance(step, int):
            path += f"[{step}]"
        elif not _PLAIN_KEY.fullmatch(step):
            path += f'["{step}"]'
        else:
            path = f"{path}.{step}" if path else step
    return path
