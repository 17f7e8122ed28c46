import pytest

from pymesh.errors import DecodeError
from pymesh.protojson import Reader
from pymesh.proxy.matchers.path_matcher import PathMatcher
from pymesh.proxy.routing.redirect import decode_redirect

PREFIX = PathMatcher("prefix", "/old")


def redirect(action, matcher=PREFIX):
    reader = Reader(action, "redirect")
    decoded = decode_redirect(reader, matcher)
    reader.reject_unread()
    return decoded


@pytest.mark.parametrize(
    ("action", "fields", "expected"),
    [
        ({"host_redirect": "new.com"}, {}, b"http://new.com/old/a?b=c"),
        ({"host_redirect": "new.com"}, {"authority": b"shop:8080"}, b"http://new.com/old/a?b=c"),
        ({"host_redirect": "new.com", "port_redirect": 8080}, {}, b"http://new.com:8080/old/a?b=c"),
        ({"path_redirect": "/new"}, {}, b"http://shop/new?b=c"),
        ({"path_redirect": "/new?d"}, {}, b"http://shop/new?d"),
        ({"path_redirect": "/new?d", "strip_query": True}, {}, b"http://shop/new?d"),
        ({"path_redirect": "/new", "strip_query": True}, {}, b"http://shop/new"),
        ({"strip_query": True, "host_redirect": "new.com"}, {}, b"http://new.com/old/a"),
        ({"prefix_rewrite": "/new"}, {}, b"http://shop/new/a?b=c"),
        (
            {"regex_rewrite": {"pattern": {"regex": "^/old/(.*)$"}, "substitution": r"/\1/new"}},
            {},
            b"http://shop/a/new?b=c",
        ),
        ({"https_redirect": True}, {}, b"https://shop/old/a?b=c"),
        ({"https_redirect": True}, {"authority": b"shop:80"}, b"https://shop/old/a?b=c"),
        ({"https_redirect": True}, {"authority": b"shop:8080"}, b"https://shop:8080/old/a?b=c"),
        ({"https_redirect": True}, {"authority": b"[::1]:80"}, b"https://[::1]/old/a?b=c"),
        ({"https_redirect": True}, {"authority": b"[::1]"}, b"https://[::1]/old/a?b=c"),
        ({"https_redirect": True, "port_redirect": 8443}, {"authority": b"shop:80"}, b"https://shop:8443/old/a?b=c"),
        ({"scheme_redirect": "http"}, {"authority": b"shop:443", "scheme": b"https"}, b"http://shop/old/a?b=c"),
        ({"path_redirect": "/new"}, {"authority": b"shop:80"}, b"http://shop:80/new?b=c"),
        ({"path_redirect": "/new"}, {"authority": b"shop:8080", "scheme": b"https"}, b"https://shop:8080/new?b=c"),
    ],
)
def test_a_redirect_points_where_envoys_would(make_request, action, fields, expected):
    assert redirect(action).location(make_request(b"/old/a?b=c", **fields)) == expected


def test_a_prefix_rewrite_of_an_exact_path_replaces_it_all(make_request):
    action = redirect({"prefix_rewrite": "/new"}, PathMatcher("path", "/old/a"))
    assert action.location(make_request(b"/old/a?b")) == b"http://shop/new?b"


@pytest.mark.parametrize(
    ("name", "code"), [(None, 301), ("FOUND", 302), ("SEE_OTHER", 303), ("TEMPORARY_REDIRECT", 307)]
)
def test_the_code_is_301_unless_said_otherwise(name, code):
    assert redirect({"response_code": name, "host_redirect": "a"}).code == code


@pytest.mark.parametrize(
    "action",
    [
        {"response_code": "OK"},
        {"https_redirect": True, "scheme_redirect": "http"},
        {"path_redirect": "/a", "prefix_rewrite": "/b"},
    ],
)
def test_a_redirect_that_contradicts_itself_is_refused(action):
    with pytest.raises(DecodeError):
        redirect(action)
