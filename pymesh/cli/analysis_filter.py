"""Which messages of `pymesh analyze` a user does not want: flags `--suppress`, and annotations of the objects."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pymesh.control.analysis import message_types
from pymesh.control.analysis.message import Message, MessageType
from pymesh.control.model.resource import Key
from pymesh.errors import UsageError

_CODES = frozenset(one.code for one in vars(message_types).values() if isinstance(one, MessageType))
_ANY = "*"


class Suppression(NamedTuple):
    """`resource`: `VirtualService reviews.default`, in which `*` stands for any text."""

    code: str
    resource: str

    @property
    def has_known_code(self) -> bool:
        return self.code in _CODES

    def covers(self, message: Message) -> bool:
        if message.type.code != self.code:
            return False
        kind, namespace, name = message.key
        pattern = ".*".join(map(re.escape, self.resource.split(_ANY)))
        return re.fullmatch(pattern, f"{kind} {name}.{namespace}" if namespace else f"{kind} {name}") is not None


def parse_suppression(text: str) -> Suppression:
    """Raises UsageError."""
    code, equals, resource = text.partition("=")
    if not equals or not code or not resource:
        raise UsageError(f'--suppress {text}: must be CODE=KIND NAME.NAMESPACE, as "IST0101=VirtualService *.shop"')
    return Suppression(code, resource)


def without_suppressed(
    messages: Iterable[Message], suppressions: Iterable[Suppression], annotated: Mapping[Key, frozenset[str]]
) -> list[Message]:
    """`annotated`: the codes that objects themselves suppress, or `*`."""
    wanted = (one for one in messages if annotated.get(one.key, frozenset()).isdisjoint((one.type.code, _ANY)))
    return [one for one in wanted if not any(suppression.covers(one) for suppression in suppressions)]
