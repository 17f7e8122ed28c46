import pytest

from pymesh.errors import DecodeError
from pymesh.protojson import Reader
from pymesh.proxy.matchers.string_matcher import compile_string_matcher, decode_string_matcher


def matches(matcher, value):
    reader = Reader(matcher, "match")
    decoded = decode_string_matcher(reader)
    reader.reject_unread()
    return compile_string_matcher(decoded)(value)


@pytest.mark.parametrize(
    ("matcher", "value", "expected"),
    [
        ({"exact": "v1"}, b"v1", True),
        ({"exact": "v1"}, b"V1", False),
        ({"exact": ""}, b"", True),
        ({"exact": "v1", "ignore_case": True}, b"V1", True),
        ({"prefix": "ab"}, b"abc", True),
        ({"prefix": "ab"}, b"cab", False),
        ({"prefix": "AB", "ignore_case": True}, b"abc", True),
        ({"suffix": "bc"}, b"abc", True),
        ({"suffix": "bc"}, b"bcd", False),
        ({"contains": "b"}, b"abc", True),
        ({"contains": "x"}, b"abc", False),
        ({"safe_regex": {"regex": "a+"}}, b"aaa", True),
        ({"safe_regex": {"regex": "a+"}}, b"aab", False),
        ({"safe_regex": {"google_re2": {}, "regex": "(?i)A+"}}, b"aa", True),
        ({"safe_regex": {"regex": ".*"}}, "grün".encode(), True),
    ],
)
def test_a_string_matches_as_its_pattern_says(matcher, value, expected):
    assert matches(matcher, value) is expected


@pytest.mark.parametrize(
    ("matcher", "reason"),
    [
        ({}, "match.match_pattern: one of exact"),
        ({"prefix": ""}, "match.prefix: is required"),
        ({"exact": "a", "prefix": "a"}, "match.prefix: cannot stand beside exact"),
        ({"safe_regex": {"regex": "("}}, "match.safe_regex.regex: not a regular expression: missing )"),
        ({"safe_regex": {"regex": r"(a)\1"}}, "match.safe_regex.regex: not a regular expression"),
    ],
)
def test_a_matcher_that_cannot_match_is_refused(matcher, reason):
    with pytest.raises(DecodeError) as raised:
        matches(matcher, b"")
    assert str(raised.value).startswith(reason)
