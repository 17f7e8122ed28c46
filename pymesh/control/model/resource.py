"""Resource: one object of any kind, typed. What the store holds and everything after it reads."""

from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from pymesh.control.model.kinds import Kind
from pymesh.control.model.messages import Message

SpecT = TypeVar("SpecT", bound=Message, covariant=True)


class Key(NamedTuple):
    """`kind` is the kind's name: `VirtualService`."""

    kind: str
    namespace: str
    name: str


class ManagedFieldsEntry(Message):
    """Which fields of an object one writer set last. `fields_v1`: a tree of `f:<name>` and `k:<keys>`, `.` being a
    member that has children. https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
    """

    manager: str = ""
    """The writer's name."""
    operation: str = ""
    """Apply or Update."""
    api_version: str = ""
    """The version in which the fields are named."""
    time: str = ""
    """When these fields were written."""
    fields_type: str = ""
    """Always FieldsV1."""
    fields_v1: dict[str, Any] = {}
    """The fields, as a tree."""
    subresource: str = ""
    """The part of the object by whose path they were written; empty for the object itself."""


class OwnerReference(Message):
    api_version: str = ""
    """Of the owner."""
    kind: str = ""
    """Of the owner."""
    name: str = ""
    """Of the owner."""
    uid: str = ""
    """Of the owner."""
    controller: bool | None = None
    """Whether the owner is the one that manages the object."""
    block_owner_deletion: bool | None = None
    """Means nothing here."""


class Metadata(Message):
    """`creation_timestamp`, `resource_version`, `uid` and `generation` are set by the store and by nobody else;
    `managed_fields` and `deletion_timestamp` by the API.

    The timestamp is RFC 3339 with microseconds, so that text order is time order: Istio's precedence goes by creation
    time, then name, then namespace.
    """

    name: str = ""
    """The object's name, unique in its namespace among those of its kind."""
    generate_name: str = ""
    """What the name begins with, where the server is to choose the rest."""
    namespace: str = ""
    """The namespace that the object is in."""
    labels: dict[str, str] = {}
    """Words by which objects are selected."""
    annotations: dict[str, str] = {}
    """Notes by tools and people; nothing selects by them."""
    creation_timestamp: str = ""
    """When it was created. Where rules contradict each other, the older one counts."""
    resource_version: str = ""
    """Changes with every write. A write that names one fails if another write came between."""
    uid: str = ""
    """Of this object; one of the same name that is created later has another."""
    generation: int = 0
    """How often the spec was written."""
    managed_fields: tuple[ManagedFieldsEntry, ...] = ()
    """Which writer set which field last."""
    owner_references: tuple[OwnerReference, ...] = ()
    """Objects that it belongs to. It stays when they go."""
    finalizers: tuple[str, ...] = ()
    """Whom its deletion waits for: it goes when each has taken its word away."""
    deletion_timestamp: str = ""
    """When its deletion was asked for."""
    deletion_grace_period_seconds: int | None = None
    """Always 0, once its deletion was asked for."""


class Written(NamedTuple):
    """How a spec was written, zeros and all; it holds for that very spec object."""

    spec: Message
    fields: dict[str, Any]


class Resource(msgspec.Struct, Generic[SpecT], frozen=True, kw_only=True):
    """One object. Make a changed one with `msgspec.structs.replace`; `status` is JSON as its writer shaped it.

    `Resource[VirtualService]` says what `spec` is where a function takes one kind only.
    """

    kind: Kind
    metadata: Metadata
    spec: SpecT
    status: dict[str, Any] = {}
    written: Written | None = None

    def __repr__(self) -> str:
        return f"<{self.kind.name} {self.metadata.namespace}/{self.metadata.name} rv={self.metadata.resource_version}>"

    @property
    def key(self) -> Key:
        return Key(self.kind.name, self.metadata.namespace, self.metadata.name)

    @property
    def written_fields(self) -> dict[str, Any] | None:
        """The spec as its author wrote it; None where it was made by a program or has been changed since."""
        return self.written.fields if self.written is not None and self.written.spec is self.spec else None

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def namespace(self) -> str:
        return self.metadata.namespace
