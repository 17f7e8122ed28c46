"""Tables on a terminal."""

from collections.abc import Iterator, Sequence

_GAP = "   "


def format_table(lines: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of left-aligned columns, the first line being the header, as kubectl pads them."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        yield _GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
