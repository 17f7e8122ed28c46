"""Files of configuration, as commands name them: one, the YAML and JSON files of a directory, or standard input."""

import sys
from collections.abc import Iterator
from pathlib import Path

from pymesh.errors import UsageError

SUFFIXES = (".yaml", ".yml", ".json")


def read_files(source: str, is_recursive: bool = False) -> Iterator[tuple[str, bytes]]:
    """Name and content of the file, of the files of the directory, or of standard input for `-`.

    Raises UsageError for a file that cannot be read, and for a directory without any.
    """
    if source == "-":
        yield "-", sys.stdin.buffer.read()
        return
    files = list_files(Path(source), is_recursive)
    if not files:
        raise UsageError(f"{source}: has no {', '.join(SUFFIXES)} file")
    for file in files:
        yield str(file), read_file(file)


def list_files(path: Path, is_recursive: bool = False) -> list[Path]:
    """A file itself; of a directory, what kubectl would apply: its YAML and JSON files, with `is_recursive` those below
    it, too."""
    if not path.is_dir():
        return [path]
    found = path.rglob("*") if is_recursive else path.iterdir()
    return sorted(file for file in found if file.suffix in SUFFIXES and file.is_file())


def read_file(path: Path) -> bytes:
    """Raises UsageError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
