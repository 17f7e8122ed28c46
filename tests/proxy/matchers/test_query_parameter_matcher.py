import pytest

from pymesh.protojson import Reader
from pymesh.proxy.matchers.query_parameter_matcher import (
    compile_query_parameter_matcher,
    decode_query_parameter_matcher,
    query_parameter,
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"/", None),
        (b"/?", None),
        (b"/?b=1", None),
        (b"/?a", b""),
        (b"/?a=", b""),
        (b"/?b=2&a=1&a=3", b"1"),
        (b"/?a=x%20y", b"x%20y"),
        (b"/?%61=1", None),
        (b"/?a=1=2", b"1=2"),
        (b"/a=1", None),
        (b"/?a=%zz", b"%zz"),
    ],
)
def test_the_first_value_of_a_parameter_is_found(path, expected):
    assert query_parameter(path, b"a") == expected


@pytest.mark.parametrize(
    ("matcher", "path", "expected"),
    [
        ({"string_match": {"exact": "1"}}, b"/?a=1", True),
        ({"string_match": {"exact": "1"}}, b"/?a=2", False),
        ({"string_match": {"safe_regex": {"regex": ".*"}}}, b"/", False),
        ({"present_match": True}, b"/?a", True),
        ({"present_match": True}, b"/", False),
        ({"present_match": False}, b"/", True),
        ({}, b"/?a=", True),
    ],
)
def test_a_parameter_matches_as_its_matcher_says(make_request, matcher, path, expected):
    reader = Reader({"name": "a", **matcher})
    predicate = compile_query_parameter_matcher(decode_query_parameter_matcher(reader))
    reader.reject_unread()
    assert predicate(make_request(path)) is expected
