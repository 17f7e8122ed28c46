import pytest

from pymesh.errors import DecodeError
from pymesh.protojson import Reader
from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.matchers.header_matcher import compile_header_matcher, decode_header_matcher


def compiled(matcher):
    reader = Reader(matcher, "header")
    decoded = decode_header_matcher(reader)
    reader.reject_unread()
    return compile_header_matcher(decoded)


@pytest.mark.parametrize(
    ("matcher", "headers", "expected"),
    [
        ({"string_match": {"exact": "1"}}, {"x-a": "1"}, True),
        ({"string_match": {"exact": "1"}}, {"x-a": "2"}, False),
        ({"string_match": {"exact": "1"}}, {}, False),
        ({"string_match": {"exact": "1"}, "invert_match": True}, {"x-a": "2"}, True),
        ({"string_match": {"exact": "1"}, "invert_match": True}, {}, False),
        (
            {"string_match": {"exact": "1"}, "invert_match": True, "treat_missing_header_as_empty": True},
            {},
            True,
        ),
        ({"string_match": {"exact": ""}, "treat_missing_header_as_empty": True}, {}, True),
        ({"present_match": True}, {"x-a": ""}, True),
        ({"present_match": True}, {}, False),
        ({"present_match": False}, {}, True),
        ({"present_match": False}, {"x-a": ""}, False),
        ({"present_match": True, "invert_match": True}, {}, True),
        ({}, {"x-a": "1"}, True),
        ({}, {}, False),
        ({"range_match": {"start": -10, "end": 0}}, {"x-a": "-1"}, True),
        ({"range_match": {"start": -10, "end": 0}}, {"x-a": "0"}, False),
        ({"range_match": {"start": "1", "end": "3"}}, {"x-a": "2"}, True),
        ({"range_match": {"start": 1, "end": 3}}, {"x-a": "2.5"}, False),
        ({"range_match": {"start": 1, "end": 3}}, {"x-a": ""}, False),
        ({"range_match": {"start": 1, "end": 3}}, {"x-a": "1" * 5000}, False),
    ],
)
def test_a_header_matches_as_its_matcher_says(make_request, matcher, headers, expected):
    assert compiled({"name": "X-A", **matcher})(make_request(headers=headers)) is expected


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("2", True), ("1,2", False), ("3", False)])
def test_one_of_several_values_has_to_match(make_request, value, expected):
    request = make_request()
    request.headers = HeaderMap([(b"x-a", b"1"), (b"x-a", b"2")])
    matcher = {"name": "x-a", "string_match": {"exact": value}}
    assert compiled(matcher)(request) is expected
    assert compiled({**matcher, "invert_match": True})(request) is not expected


@pytest.mark.parametrize(
    ("name", "value"), [(":method", "GET"), (":path", "/a?b"), (":authority", "shop"), ("Host", "shop")]
)
def test_a_pseudo_header_is_read_from_the_request(make_request, name, value):
    assert compiled({"name": name, "string_match": {"exact": value}})(make_request(b"/a?b"))


def test_an_unknown_pseudo_header_is_refused():
    with pytest.raises(DecodeError, match=r"header\.name: must be a header or one of :method"):
        compiled({"name": ":protocol"})
