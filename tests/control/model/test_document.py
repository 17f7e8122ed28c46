"""Text -> plain values: what kubectl's YAML means, and that no text is too strange."""

import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pymesh.control.model.document import MAX_DEPTH, DocumentError, read_documents, read_json


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("v1", "v1"),
        ("5", 5),
        ("-5", -5),
        ("1_000", 1000),
        ("0x1F", 31),
        ("017", 15),
        ("0o17", 15),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("true", True),
        ("Yes", True),
        ("off", False),
        ("y", "y"),
        ("yEs", "yEs"),
        ("null", None),
        ("~", None),
        ("'5'", "5"),
        ('"true"', "true"),
        ("!!str 5", "5"),
        ("2020-01-01", "2020-01-01"),
        ("12:30:45", "12:30:45"),
        ("0x", "0x"),
        ("10s", "10s"),
    ],
)
def test_scalars_mean_what_they_mean_to_kubectl(text: str, value: object) -> None:
    assert read_documents(f"a: {text}")[0].value == {"a": value}


def test_documents_are_numbered_and_know_their_line() -> None:
    text = "---\na: 1\n---\n# nothing\n---\n\nb: 2\n"
    documents = read_documents(text)
    assert [(one.number, one.line, one.value) for one in documents] == [(1, 2, {"a": 1}), (3, 7, {"b": 2})]


def test_keys_are_strings() -> None:
    assert read_documents("{80: a, true: b}")[0].value == {"80": "a", "true": "b"}


def test_anchors_and_merges_are_followed() -> None:
    text = "base: &base {x: 1, y: [2]}\none: {<<: *base, x: 3}\ntwo: *base\n"
    value = read_documents(text)[0].value
    assert value == {"base": {"x": 1, "y": [2]}, "one": {"x": 3, "y": [2]}, "two": {"x": 1, "y": [2]}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", "line 2: key 'a' occurs twice"),
        ("a: b: c", "line 1: mapping values are not allowed in this context"),
        ("a: &x [*x]", "line 1: unknown alias *x"),
        ("a: !python/object x", "line 1: unknown tag !python/object"),
        ("? [a]\n: b", "line 1: a key must be a string"),
        ("a: [b", "line 2: did not find expected ',' or ']'"),
        ("\x00", "unacceptable character #x0000"),
        ("[" * 100_000, "line 1: "),  # libyaml looks ahead, and some of its versions have a limit of their own
        ("{a: " * 100_000, f"line 1: nested deeper than {MAX_DEPTH}"),
        ("- " * 100_000, f"line 1: nested deeper than {MAX_DEPTH}"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, message: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read_documents(text)
    assert str(caught.value).startswith(message)


def test_aliases_cannot_blow_up() -> None:
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    start = time.perf_counter()
    with pytest.raises(DocumentError, match="more than 200000 values"):
        read_documents("\n".join(["a0: &a0 [x]", *levels]))
    assert time.perf_counter() - start < 10


def test_aliases_cannot_nest_deeper_than_is_allowed() -> None:
    levels = [f"a{n}: &a{n} [[[[[*a{n - 1}]]]]]" for n in range(1, 40)]
    with pytest.raises(DocumentError, match="nested deeper"):
        read_documents("\n".join(["a0: &a0 x", *levels]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "a": 2}', "key 'a' occurs twice"),
        ('{"a": NaN}', "NaN is not a number of JSON"),
        ("{", "is not JSON"),
        (b"\xff", "is not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[" * 100 + "]" * 100, "nested deeper than"),
        (r'{"a": ["b\ud800"]}', r"is not JSON: \\ud800 is half of a surrogate pair"),
        (r'{"\udfff": 1}', r"\\udfff is half"),
        (b'"\xed\xa0\x80"', r"\\ud800 is half"),
        (r'"\ud800"'.encode("utf-16"), r"\\ud800 is half"),
    ],
)
def test_json_is_as_strict(text: str | bytes, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        read_json(text)


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert read_json(r'"\ud83d\ude00"') == "\N{GRINNING FACE}"


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=20,
)


@given(values)
def test_json_is_read_as_json(value: object) -> None:
    assert read_json(json.dumps(value)) == value


@given(st.text() | st.binary() | st.text(alphabet="ab:- \n[]{},&*!|>'\"#?0.<~", max_size=60))
def test_any_text_is_documents_or_a_document_error(text: str | bytes) -> None:
    with contextlib.suppress(DocumentError):
        read_documents(text)
    with contextlib.suppress(DocumentError):
        read_json(text)
