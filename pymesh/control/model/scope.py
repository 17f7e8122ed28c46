"""A place in an object: its path, and the list that takes its violations."""

import re

from pymesh.errors import Violation

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


class Scope:
    """`Scope("spec")["http"][0]` is `spec.http[0]`. All scopes of one object share one list of violations."""

    __slots__ = ("path", "violations")

    def __init__(self, path: str = "", violations: list[Violation] | None = None) -> None:
        self.path = path
        self.violations: list[Violation] = [] if violations is None else violations

    def __getitem__(self, key: str | int) -> "Scope":
        return Scope(_join(self.path, key), self.violations)

    def __repr__(self) -> str:
        return f"<Scope {self.path} violations={len(self.violations)}>"

    def fail(self, message: str) -> None:
        self.violations.append(Violation(self.path or ".", message))

    def require(self, is_valid: object, message: str) -> None:
        if not is_valid:
            self.fail(message)


def _join(path: str, key: str | int) -> str:
    if isinstance(key, int):
        return f"{path}[{key}]"
    if not _PLAIN_KEY.fullmatch(key):
        return f'{path}["{key}"]'
    return f"{path}.{key}" if path else key
