"""Where an object of a file stands. Nothing here knows what objects mean."""

from typing import Any, NamedTuple

from pymesh.control.model.document import Document
from pymesh.control.model.document_lines import LineNode, node_of


class Source(NamedTuple):
    """Where an object was read: the file, the number of its document in it, and the lines."""

    file: str
    document: int
    lines: LineNode

    @property
    def line(self) -> int:
        """The object's first line."""
        return self.lines.line

    def line_of(self, path: str) -> int:
        """The line of a field, as `spec.http[0].match`; of one that is not there, of what it would be in."""
        return self.lines.line_of(path)

    def place(self, path: str = "") -> str:
        return f"{self.file}: document {self.document} (line {self.line_of(path)})"


def objects_of(document: Document) -> list[tuple[Any, LineNode]]:
    """The objects of a document and their lines: its items, if it is a List."""
    fields, lines = document.value, document.lines
    is_list = isinstance(fields, dict) and str(fields.get("kind", "")).endswith("List")
    if not is_list or not isinstance(fields.get("items"), list):
        return [(fields, lines)]
    places = node_of(lines.children["items"]).children
    return [(item, node_of(places[index])) for index, item in enumerate(fields["items"])]
