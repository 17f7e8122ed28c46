"""The README lists what is refused. `python tests/control/model/test_not_implemented.py` writes that list anew."""

import re
from pathlib import Path
from types import GenericAlias, UnionType
from typing import Any, get_args

import msgspec
import pytest

from pymesh.control.model.kinds import KINDS
from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.model.not_implemented import NOT_IMPLEMENTED, Unsupported

README = Path(__file__).parents[3] / "README.md"
_BEGIN = "<!-- refused: written by tests/control/model/test_not_implemented.py -->\n"
_END = "<!-- end of refused -->"


def refused_list() -> str:
    """A line for each kind."""
    lines = [f"- {kind}: {_fields(entries)}" for kind, entries in NOT_IMPLEMENTED.items() if entries]
    return "\n".join(lines) + "\n"


def _fields(entries: tuple[Unsupported, ...]) -> str:
    # What is refused in a traffic policy is refused wherever one can stand.
    elsewhere = re.compile(r"(subsets\[\]\.)?trafficPolicy\.portLevelSettings|subsets\[\]\.trafficPolicy")
    shown = [entry for entry in entries if not elsewhere.match(entry.path)]
    return ", ".join(map(_field, shown))


def _field(entry: Unsupported) -> str:
    values = (
        ""
        if entry.values in ((True,), ({},))
        else ", ".join(str(value).lower() if value is False else value for value in entry.values)
    )
    values = values or entry.prefix
    return f"`{entry.path}`" + (f" {values}" if values else "")


def split_readme() -> tuple[str, str, str]:
    """What is before the list, the list, and what is behind it."""
    before, begin, rest = README.read_text().partition(_BEGIN)
    written, end, behind = rest.partition(_END)
    return before + begin, written, end + behind


def test_the_readme_lists_what_is_refused() -> None:
    assert split_readme()[1] == refused_list()


@pytest.mark.parametrize("kind", NOT_IMPLEMENTED)
def test_what_is_refused_is_a_field(kind: str) -> None:
    spec_type = next((one.spec_type for one in KINDS if one.name == kind), MeshConfig)
    assert [one.path for one in NOT_IMPLEMENTED[kind] if not _exists(spec_type, one.path)] == []


def _exists(message: Any, path: str) -> bool:
    for step in filter(None, path.split(".")):
        fields = {field.encode_name: field.type for field in msgspec.structs.fields(message)}
        if step.removesuffix("[]") not in fields:
            return False
        message = _inner(fields[step.removesuffix("[]")])
    return True


def _inner(wanted: Any) -> Any:
    """The message in a list, or beside None."""
    while not isinstance(wanted, type):
        arguments = [one for one in get_args(wanted) if one not in (type(None), Ellipsis)]
        if not arguments or not isinstance(wanted, GenericAlias | UnionType):
            return wanted
        wanted = arguments[-1]
    return wanted


if __name__ == "__main__":
    before, _, behind = split_readme()
    README.write_text(before + refused_list() + behind)
