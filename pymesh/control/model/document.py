"""Text of files and of request bodies -> plain JSON values. YAML as kubectl reads it.

Values are built from the parser's events, not by PyYAML's composer, because that recurses (a hostile file would end the
process), keeps the last of two equal keys, and turns words into dates.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from pymesh.control.model.document_lines import LineNode, Lines, node_of
from pymesh.errors import PymeshError

MAX_DEPTH = 64
MAX_NODES = 200_000

_BOOLEANS = dict.fromkeys(("true", "yes", "on"), True) | dict.fromkeys(("false", "no", "off"), False)
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9_]*)")
_RADIX_INTEGER = re.compile(r"[-+]?0(x[0-9a-fA-F][0-9a-fA-F_]*|b[01][01_]*|o?[0-7][0-7_]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_QUOTED = ("'", '"', "|", ">")
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))


class DocumentError(PymeshError):
    """The text is not YAML or JSON; says at which line."""


class Document(NamedTuple):
    """One document of a text: its number from 1, its first line, its value, and the line of each value in it."""

    number: int
    line: int
    value: Any
    lines: LineNode


def read_documents(text: str | bytes) -> list[Document]:
    """The documents of a YAML stream; empty ones are left out, numbers count them. Raises DocumentError."""
    try:
        return [document for document in _documents(text) if document.value is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise DocumentError(f"line {mark.line + 1 if mark else '?'}: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise DocumentError(" ".join(str(error).split())) from error


def read_json(text: str | bytes) -> Any:
    """Raises DocumentError."""
    try:
        value = json.loads(text, object_pairs_hook=_unique_pairs, parse_constant=_refuse_constant)
        if _measure(value)[1] > MAX_DEPTH:
            raise DocumentError(f"nested deeper than {MAX_DEPTH}")
        _check_is_unicode(value)
        return value
    except RecursionError:
        raise DocumentError("nested too deeply") from None
    except ValueError as error:  # also UnicodeDecodeError and JSONDecodeError
        raise DocumentError(f"is not JSON: {error}") from error


def _check_is_unicode(value: Any) -> None:
    """Half of a surrogate pair is no character: it can be neither stored nor sent. PyYAML refuses it; `json` takes
    it, as an escape and even in bytes."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = ord(error.object[error.start])
        raise DocumentError(f"is not JSON: \\u{half:04x} is half of a surrogate pair, and no character") from None


def _documents(text: str | bytes) -> Iterator[Document]:
    builder = _Builder()
    number = line = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.DocumentStartEvent):
            builder = _Builder()
            number += 1
            line = 0
        elif isinstance(event, yaml.DocumentEndEvent):
            yield Document(number, line, builder.root, builder.lines)
        elif isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
            line = line or _line(event)
            builder.on_event(event)


class _Builder:
    """One document's value, grown event by event. `_open` is the stack of lists and maps that are not finished."""

    def __init__(self) -> None:
        self.root: Any = None
        self.lines = LineNode(0)
        self._open: list[_OpenList | _OpenMap] = []
        self._anchors: dict[str, tuple[Any, Lines]] = {}
        self._nodes = 0

    def on_event(self, event: Any) -> None:
        if isinstance(event, yaml.CollectionEndEvent):
            self._end_collection()
        elif isinstance(event, yaml.AliasEvent):
            self._add(*self._aliased(event), event)
        elif isinstance(event, yaml.ScalarEvent):
            value, line = _scalar(event), _line(event)
            self._anchor(event, value, line)
            self._add(value, line, event)
        else:
            self._start_collection(event)

    def _start_collection(self, event: Any) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise _error(event, f"nested deeper than {MAX_DEPTH}")
        _check_tag(event)
        is_map = isinstance(event, yaml.MappingStartEvent)
        self._open.append(_OpenMap(event) if is_map else _OpenList(event))

    def _end_collection(self) -> None:
        # An anchor counts from its end on, so no value can contain itself.
        collection = self._open.pop()
        self._anchor(collection.event, collection.value, collection.lines)
        self._add(collection.value, collection.lines, collection.event)

    def _aliased(self, event: Any) -> tuple[Any, Lines]:
        if event.anchor not in self._anchors:
            raise _error(event, f"unknown alias *{event.anchor}")
        value, lines = self._anchors[event.anchor]
        nodes, depth = _measure(value)
        self._count(nodes, event)
        if len(self._open) + depth > MAX_DEPTH:
            raise _error(event, f"nested deeper than {MAX_DEPTH}")
        return value, lines

    def _anchor(self, event: Any, value: Any, lines: Lines) -> None:
        if event.anchor:
            self._anchors[event.anchor] = value, lines

    def _add(self, value: Any, lines: Lines, event: Any) -> None:
        self._count(1, event)
        if self._open:
            self._open[-1].add(value, lines, event)
        else:
            self.root, self.lines = value, node_of(lines)

    def _count(self, nodes: int, event: Any) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise _error(event, f"more than {MAX_NODES} values")


class _OpenList:
    def __init__(self, event: Any) -> None:
        self.event = event
        self.value: list[Any] = []
        self.lines = LineNode(_line(event))

    def add(self, value: Any, lines: Lines, event: Any) -> None:
        self.lines.children[len(self.value)] = lines
        self.value.append(value)


class _OpenMap:
    """Takes key and value by turns."""

    def __init__(self, event: Any) -> None:
        self.event = event
        self.value: dict[str, Any] = {}
        self.lines = LineNode(_line(event))
        self._merged: set[str] = set()  # keys that came by `<<` and may be set again
        self._key: str | None = None
        self._key_line = 0

    def add(self, value: Any, lines: Lines, event: Any) -> None:
        if self._key is None:
            self._key, self._key_line = _key(value, event), _line(event)
        else:
            key, self._key = self._key, None
            self._set(key, value, lines, event)

    def _set(self, key: str, value: Any, lines: Lines, event: Any) -> None:
        if key == "<<":
            self._merge(value, lines, event)
            return
        if key in self.value and key not in self._merged:
            raise _error(event, f"key {key!r} occurs twice")
        self._merged.discard(key)
        self.value[key] = value
        self.lines.children[key] = self._key_line if isinstance(lines, int) else lines.at(self._key_line)

    def _merge(self, value: Any, lines: Lines, event: Any) -> None:
        sources = (
            zip(value, node_of(lines).children.values(), strict=True) if isinstance(value, list) else [(value, lines)]
        )
        for source, source_lines in sources:
            if not isinstance(source, dict):
                raise _error(event, "<< needs a map")
            new = {key: item for key, item in source.items() if key not in self.value}
            self._merged.update(new)
            self.value.update(new)
            self.lines.children.update({key: node_of(source_lines).children[key] for key in new})


def _key(value: Any, event: Any) -> str:
    if isinstance(event, yaml.ScalarEvent):
        return str(event.value)  # `80:` and `on:` are the keys "80" and "on" in JSON
    if isinstance(value, str):
        return value
    raise _error(event, "a key must be a string")


def _scalar(event: Any) -> Any:
    _check_tag(event)
    is_string = event.tag in ("!", "tag:yaml.org,2002:str") or event.style in _QUOTED
    return str(event.value) if is_string else _plain_value(str(event.value))


def _plain_value(text: str) -> Any:
    """YAML 1.1's scalars as kubectl takes them: no dates, no base 60; y and n stay words."""
    if text in _NULLS:
        return None
    if text.lower() in _BOOLEANS and text in (text.lower(), text.upper(), text.title()):
        return _BOOLEANS[text.lower()]
    if _INTEGER.fullmatch(text) and len(text) < 40:
        return int(text.replace("_", ""))
    if _RADIX_INTEGER.fullmatch(text) and len(text) < 80:
        return _radix_integer(text.replace("_", ""))
    return float(text) if _FLOAT.fullmatch(text) and len(text) < 80 else text


def _radix_integer(text: str) -> int:
    sign, digits = (-1 if text[0] == "-" else 1), text.lstrip("+-")
    base = {"x": 16, "b": 2}.get(digits[1], 8)
    return sign * int(digits.lstrip("0").lstrip("xbo") or "0", base)


def _check_tag(event: Any) -> None:
    tag = event.tag
    if tag and not tag.startswith("tag:yaml.org,2002:") and tag != "!":
        raise _error(event, f"unknown tag {tag}")


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _error(event: Any, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)


def _measure(value: Any) -> tuple[int, int]:
    """How many values it holds, itself included, and how deep it is."""
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    measures = [_measure(child) for child in children]
    return 1 + sum(nodes for nodes, _ in measures), 1 + max((depth for _, depth in measures), default=0)


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key {twice!r} occurs twice")
    return fields


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number of JSON")
