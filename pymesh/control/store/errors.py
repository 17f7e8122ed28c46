"""What a store refuses. Each says which object it is about."""

from pymesh.control.model.resource import Key
from pymesh.errors import PymeshError


class StoreError(PymeshError):
    """Base of the errors of a store; by itself: what it stands on does not work (a full disk, a broken file)."""


class NotFoundError(StoreError):
    def __init__(self, key: Key) -> None:
        super().__init__(f"{key.kind} {key.namespace}/{key.name} not found")
        self.key = key


class AlreadyExistsError(StoreError):
    def __init__(self, key: Key) -> None:
        super().__init__(f"{key.kind} {key.namespace}/{key.name} already exists")
        self.key = key


class ConflictError(StoreError):
    """The object is not at the version that the writer had read, or is another object of the same name."""

    def __init__(self, key: Key, expected: str, actual: str, what: str = "resourceVersion") -> None:
        super().__init__(
            f"{key.kind} {key.namespace}/{key.name} has {what} {actual}, not {expected}: it was changed meanwhile; "
            "read it again"
        )
        self.key = key
        self.what = what


class RevisionGoneError(StoreError):
    """A watch wants events that are no longer kept (or that never were): list, and watch from there."""

    def __init__(self, since: int, oldest: int, newest: int) -> None:
        super().__init__(f"events after revision {since} are not kept; a watch can start at {oldest}..{newest}")
        self.since = since
