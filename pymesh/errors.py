"""What can go wrong because of a user or a peer. A bug raises something else."""

from collections.abc import Iterable
from typing import NamedTuple


class PymeshError(Exception):
    """Base of every expected error. `str(error)` is one clear line for a user."""


class UsageError(PymeshError):
    """A bad flag, an occupied port, an unreadable file: the command prints one line and exits with 2."""


class ControlUnreachableError(PymeshError):
    """The control plane did not answer."""


class DecodeError(PymeshError):
    """A field of a JSON resource has a wrong type, value or name. Names the path, as `filter_chains[0].name`."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message


class Violation(NamedTuple):
    """One rule that an object breaks: where (`spec.http[0].timeout`) and why."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class ValidationError(PymeshError):
    """All violations of one object, collected before it is raised once."""

    def __init__(self, kind: str, name: str, violations: Iterable[Violation]) -> None:
        self.kind = kind
        self.name = name
        self.violations = tuple(violations)
        super().__init__(f"{kind} {name}: " + "; ".join(map(str, self.violations)))
