"""Where the values of a document stand: the line of each key and of each element of a list."""

import re
from typing import Union

from pymesh.control.model.scope import Step

_STEP = re.compile(r'\["(.*?)"\]|\[(\d+)\]|\.?([^.\[]+)')


Lines = Union[int, "LineNode"]


class LineNode:
    """The line of a list or a map (that of its key, if it has one) and those of what is in it.

    What is neither list nor map has just a line: there are many of them.
    """

    __slots__ = ("children", "line")

    def __init__(self, line: int) -> None:
        self.line = line
        self.children: dict[Step, Lines] = {}

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
            if isinstance(child, int):
                return child
            if child is None:
                break
            node = child
        return node.line


def node_of(lines: Lines) -> LineNode:
    return LineNode(lines) if isinstance(lines, int) else lines


def steps_of(path: str) -> list[Step]:
    """`spec.http[0]["a.b"]` is spec, http, 0, a.b."""
    return [int(index) if index else quoted or name for quoted, index, name in _STEP.findall(path)]
