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
    operation: str = ""  # Apply or Update
    api_version: str = ""
    time: str = ""
    fields_type: str = ""
    fields_v1: dict[str, Any] = {}
    subresource: str = ""


class Metadata(Message):
    """`creation_timestamp`, `resource_version`, `uid` and `generation` are set by the store and by nobody else;
    `managed_fields` by the API.

    The timestamp is RFC 3339 with microseconds, so that text order is time order: Istio's precedence goes by creation
    time, then name, then namespace.
    """

    name: str = ""
    namespace: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    creation_timestamp: str = ""
    resource_version: str = ""
    uid: str = ""
    generation: int = 0
    managed_fields: tuple[ManagedFieldsEntry, ...] = ()


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
