"""Message: one finding, of a type with Istio's code, about one object."""

from enum import IntEnum
from typing import NamedTuple

from pymesh.control.model.resource import Key

_DOCUMENTATION = "https://istio.io/latest/docs/reference/config/analysis"


class Level(IntEnum):
    """Compares by severity; its name as Istio prints it is `title`."""

    INFO = 1
    WARNING = 2
    ERROR = 3

    @property
    def title(self) -> str:
        return self.name.capitalize()


class MessageType(NamedTuple):
    """`template` is for `str.format`."""

    code: str
    name: str
    level: Level
    template: str

    @property
    def documentation_url(self) -> str:
        return f"{_DOCUMENTATION}/{self.code.lower()}/"


class Message(NamedTuple):
    """`path` is the field that it is about; empty: the object."""

    type: MessageType
    key: Key
    path: str
    text: str

    @property
    def origin(self) -> str:
        """As Istio names the object: `VirtualService default/reviews`; without a namespace `Namespace shop`."""
        kind, namespace, name = self.key
        return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"


def report(kind: MessageType, key: Key, path: str, *arguments: object) -> Message:
    return Message(kind, key, path, kind.template.format(*arguments))
