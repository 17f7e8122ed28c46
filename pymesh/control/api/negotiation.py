"""What form an answer may have, by the Accept header: JSON or YAML, and as which of Kubernetes' representations.

https://kubernetes.io/docs/reference/using-api/api-concepts/#alternate-representations-of-resources
"""

import re
from collections.abc import Collection
from typing import NamedTuple

from pymesh.control.api.status import RequestError

JSON = "application/json"
YAML = "application/yaml"


class Representation(NamedTuple):
    """`kind` empty: the object itself. Otherwise `Table` or `APIGroupDiscoveryList` and so on, of `group/version`."""

    kind: str = ""
    group: str = ""
    version: str = ""


class Accepted(NamedTuple):
    media_type: str = JSON
    representation: Representation = Representation()

    @property
    def content_type(self) -> str:
        kind, group, version = self.representation
        return f"{self.media_type};g={group};v={version};as={kind}" if kind else self.media_type


class _MediaRange(NamedTuple):
    media_type: str
    parameters: dict[str, str]
    quality: float


PLAIN = Accepted()

_META = "meta.k8s.io"
TABLE = Representation("Table", _META, "v1")
PARTIAL_OBJECT = Representation("PartialObjectMetadata", _META, "v1")
PARTIAL_LIST = Representation("PartialObjectMetadataList", _META, "v1")

_MEDIA_TYPES = {JSON: JSON, YAML: YAML, "application/x-yaml": YAML, "text/yaml": YAML} | dict.fromkeys(
    ("*/*", "application/*", "text/html", "text/*"), JSON
)


def negotiate(accept: str, offered: Collection[Representation] = ()) -> Accepted:
    """The first choice of the client that is offered; the object itself always is. Raises RequestError (406)."""
    ranges = [_parse_range(part) for part in accept.split(",") if part.strip()]
    for choice in sorted(ranges, key=lambda one: -one.quality):
        accepted = _match(choice, offered)
        if accepted is not None:
            return accepted
    if not ranges:
        return Accepted()
    raise RequestError(f"only {JSON} and {YAML} can be sent", 406, "NotAcceptable")


def _match(choice: _MediaRange, offered: Collection[Representation]) -> Accepted | None:
    media_type = _MEDIA_TYPES.get(choice.media_type)
    if media_type is None or choice.quality <= 0:
        return None
    parameters = choice.parameters
    if not parameters.get("as"):
        return Accepted(media_type)
    wanted = Representation(parameters["as"], parameters.get("g", ""), parameters.get("v", ""))
    return Accepted(media_type, wanted) if wanted in offered else None


def _parse_range(text: str) -> _MediaRange:
    media_type, *rest = (part.strip() for part in text.split(";"))
    parameters = {key.strip().lower(): value.strip().strip('"') for key, _, value in (p.partition("=") for p in rest)}
    quality = parameters.get("q", "1")
    return _MediaRange(
        media_type.lower(), parameters, float(quality) if re.fullmatch(r"[01](\.\d{0,3})?", quality) else 0
    )
