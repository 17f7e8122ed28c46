from pathlib import Path

import pytest

from pymesh.config_files import read_files
from pymesh.errors import UsageError


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "below").mkdir()
    for name in ("b.yml", "a.yaml", "c.json", "notes.txt", "below/d.yaml"):
        (tmp_path / name).write_text(name)
    return tmp_path


def names(source: Path, is_recursive: bool = False) -> list[str]:
    return [content.decode() for _, content in read_files(str(source), is_recursive)]


def test_a_directory_is_its_yaml_and_json_files_in_order(directory: Path) -> None:
    assert names(directory) == ["a.yaml", "b.yml", "c.json"]


def test_what_is_below_a_directory_counts_where_that_is_asked_for(directory: Path) -> None:
    assert names(directory, is_recursive=True) == ["a.yaml", "b.yml", "below/d.yaml", "c.json"]


def test_a_file_that_is_named_is_read_whatever_it_is_called(directory: Path) -> None:
    assert names(directory / "notes.txt") == ["notes.txt"]


def test_a_directory_without_a_file_and_a_file_that_is_not_there_are_errors_of_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has no \.yaml, \.yml, \.json file"):
        names(tmp_path)
    with pytest.raises(UsageError, match="No such file or directory"):
        names(tmp_path / "gone.yaml")
