import time

import pytest

from pymesh.proxy.matchers.regex import compile_full_match, compile_replace


@pytest.mark.parametrize(
    ("pattern", "substitution", "text", "expected"),
    [
        ("^/service/([^/]+)(/.*)$", r"\2/instance/\1", b"/service/foo/v1/api", b"/v1/api/instance/foo"),
        ("one", "two", b"/xxx/one/yyy/one/zzz", b"/xxx/two/yyy/two/zzz"),
        ("^(.*?)one(.*)$", r"\1two\2", b"/xxx/one/yyy/one/zzz", b"/xxx/two/yyy/one/zzz"),
        ("(?i)/xxx/", "/yyy/", b"/aaa/XxX/bbb", b"/aaa/yyy/bbb"),
        ("a(x)?", r"[\1]", b"a", b"[]"),
        ("a", r"\0\\", b"a", b"a\\"),
    ],
)
def test_a_match_is_replaced_as_envoy_documents_it(pattern, substitution, text, expected):
    assert compile_replace(pattern, substitution)(text) == expected


@pytest.mark.parametrize("substitution", [r"\1", r"\x", "\\"])
def test_a_substitution_without_its_group_is_refused(substitution):
    with pytest.raises(ValueError, match="refers to a group"):
        compile_replace("a", substitution)


def test_a_hostile_expression_takes_linear_time():
    matches = compile_full_match("(a+)+b")
    begin = time.process_time()
    assert not matches(b"a" * 10_000)
    assert time.process_time() - begin < 0.5
