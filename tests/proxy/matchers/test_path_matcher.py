import pytest

from pymesh.errors import DecodeError
from pymesh.protojson import Reader
from pymesh.proxy.matchers.path_matcher import compile_path_matcher, decode_path_matcher


def matches(matcher, path):
    return compile_path_matcher(decode_path_matcher(Reader(matcher, "match")))(path)


@pytest.mark.parametrize(
    ("matcher", "path", "expected"),
    [
        ({"prefix": "/v1"}, b"/v1x", True),
        ({"prefix": "/v1"}, b"/V1", False),
        ({"prefix": "/V1", "case_sensitive": False}, b"/v1/a", True),
        ({"path": "/v1"}, b"/v1", True),
        ({"path": "/v1"}, b"/v1/", False),
        ({"path": "/v1", "case_sensitive": False}, b"/V1", True),
        ({"path_separated_prefix": "/v1"}, b"/v1", True),
        ({"path_separated_prefix": "/v1"}, b"/v1/a", True),
        ({"path_separated_prefix": "/v1"}, b"/v1a", False),
        ({"safe_regex": {"regex": "/v[0-9]+"}}, b"/v12", True),
        ({"safe_regex": {"regex": "/v[0-9]+"}}, b"/v12/", False),
    ],
)
def test_a_path_matches_as_its_matcher_says(matcher, path, expected):
    assert matches(matcher, path) is expected


@pytest.mark.parametrize(
    "matcher",
    [{}, {"path_separated_prefix": "/v1/"}, {"path_separated_prefix": "v1"}, {"prefix": "/", "path": "/"}],
)
def test_a_path_matcher_that_says_nothing_clear_is_refused(matcher):
    with pytest.raises(DecodeError):
        matches(matcher, b"/")
