"""Where the values of a document stand: the line of each key and of each element of a list."""

import re

from pymesh.control.model.scope import Step

_STEP = re.compile(r'\["(.*?)"\]|\[(\d+)\]|\.?([^.\[]+)')


class LineNode:
    """A value's line (that of its key, if it has one) and, where it is a list or a map, those of what is in it."""

    __slots__ = ("children", "line")

    def __init__(self, line: int) -> None:
        self.line = line
        self.children: dict[Step, LineNode] = {}

    def at(self, line: int) -> "LineNode":
        """The same value, whose key stands at that line."""
        if line == self.line:
            return self
        node = LineNode(line)
        node.children = self.children
        return node

    def line_of(self, path: str) -> int:
        """The line of `spec.http[0].route`; of what is not there, as far as the path goes."""
        node = self
        for step in steps_of(path):
            child = node.children.get(step)
            if child is None:
                break
            node = child
        return node.line


def steps_of(path: str) -> list[Step]:
    """`spec.http[0]["a.b"]` is spec, http, 0, a.b."""
    return [int(index) if index else quoted or name for quoted, index, name in _STEP.findall(path)]
