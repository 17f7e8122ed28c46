"""Tables on a terminal."""

from collections.abc import Collection, Iterator, Sequence

_GAP = "   "


def format_table(lines: Sequence[Sequence[str]], right_aligned: Collection[int] = ()) -> Iterator[str]:
    """Lines of columns, the first line being the header, as kubectl pads them; columns of numbers may stand right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = zip(line, widths, strict=True)
        padded = (cell.rjust(w) if i in right_aligned else cell.ljust(w) for i, (cell, w) in enumerate(cells))
        yield _GAP.join(padded).rstrip()
