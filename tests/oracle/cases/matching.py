"""Which virtual host and which route a request finds: the route that is asked about says `hit`, the next one `miss`."""

from typing import Any

from oracle.script import Case, Setup, case, get, post


def direct(match: dict[str, Any], body: str, status: int = 200) -> dict[str, Any]:
    return {"match": match, "direct_response": {"status": status, "body": {"inline_string": body}}}


def _match(name: str, match: dict[str, Any], **requests: bytes) -> tuple[Case, ...]:
    setup = Setup(routes=(direct(match, "hit"), direct({"prefix": "/"}, "miss", 404)))
    return tuple(case(f"match {name}: {what}", request, setup=setup) for what, request in requests.items())


def _paths(name: str, match: dict[str, Any], *paths: str) -> tuple[Case, ...]:
    return _match(name, match, **{path: get(path) for path in paths})


def _header(name: str, **matcher: Any) -> tuple[Case, ...]:
    return _match(f"header {name}", {"prefix": "/", "headers": [{"name": "x-h", **matcher}]}, **_HEADERS)


def _header_each_way(name: str, **matcher: Any) -> tuple[Case, ...]:
    as_empty = {"treat_missing_header_as_empty": True} if "string_match" in matcher else {}
    return (
        *_header(name, **matcher),
        *_header(f"not {name}", **matcher, invert_match=True),
        *(_header(f"not {name}, or missing", **matcher, **as_empty, invert_match=True) if as_empty else ()),
    )


def _query(name: str, **matcher: Any) -> tuple[Case, ...]:
    match = {"prefix": "/", "query_parameters": [{"name": "q", **matcher}]}
    return _paths(f"query {name}", match, *_QUERIES)


def _hosts(name: str, domains: tuple[str, ...], *hosts: str, **configuration: Any) -> tuple[Case, ...]:
    virtual_hosts = [
        {"name": f"host-{i}", "domains": [domain], "routes": [direct({"prefix": "/"}, domain)]}
        for i, domain in enumerate(domains)
    ]
    setup = Setup(hcm={"route_config": {"virtual_hosts": virtual_hosts, **configuration}})
    return tuple(case(f"hosts {name}: {host!r}", get(host=host), setup=setup) for host in hosts)


_HEADERS = {
    "none": get(),
    "abc": get("/", "X-H: abc"),
    "ABC": get("/", "X-H: ABC"),
    "empty": get("/", "X-H:"),
    "5": get("/", "X-H: 5"),
    "a and b": get("/", "X-H: a", "X-H: b"),
}
_QUERIES = (
    "/",
    "/?q=a",
    "/?q=A",
    "/?q",
    "/?q=",
    "/?x=1&q=a&q=b",
    "/?q=b&q=a",
    "/?Q=a",
    "/?q=%61",
    "/?%71=a",
    "/?q=a=b",
)

CASES = (
    *_paths("prefix", {"prefix": "/a"}, "/a", "/ab", "/A", "/", "/a?x"),
    *_paths("prefix of any case", {"prefix": "/a", "case_sensitive": False}, "/A", "/Ab"),
    *_paths("path", {"path": "/a"}, "/a", "/a/", "/a?x=1", "/A"),
    *_paths("path of any case", {"path": "/a", "case_sensitive": False}, "/A"),
    *_paths("separated prefix", {"path_separated_prefix": "/a"}, "/a", "/a/", "/ab", "/a?x", "/a/b"),
    *_paths("separated prefix of any case", {"path_separated_prefix": "/a", "case_sensitive": False}, "/A/b"),
    *_paths("regex", {"safe_regex": {"regex": "/a[0-9]+"}}, "/a1", "/a1b", "/xa1", "/a1?q=1", "/A1"),
    *_paths("never", {"prefix": "/", "runtime_fraction": {"default_value": {"numerator": 0}}}, "/"),
    *_paths("always", {"prefix": "/", "runtime_fraction": {"default_value": {"numerator": 100}}}, "/"),
    *_header_each_way("exact", string_match={"exact": "abc"}),
    *_header_each_way("exact of any case", string_match={"exact": "abc", "ignore_case": True}),
    *_header_each_way("prefix", string_match={"prefix": "ab"}),
    *_header_each_way("suffix", string_match={"suffix": "bc"}),
    *_header_each_way("contains", string_match={"contains": "b"}),
    *_header_each_way("regex", string_match={"safe_regex": {"regex": "[ab].*"}}),
    *_header_each_way("of both values", string_match={"exact": "a,b"}),
    *_header_each_way("range", range_match={"start": 0, "end": 6}),
    *_header("beyond the range", range_match={"start": 0, "end": 5}),
    *_header_each_way("present", present_match=True),
    *_header_each_way("absent", present_match=False),
    *_header_each_way("at all"),
    *_match(
        "method",
        {"prefix": "/", "headers": [{"name": ":method", "string_match": {"exact": "POST"}}]},
        GET=get(),
        POST=post(""),
    ),
    *_match(
        "authority",
        {"prefix": "/", "headers": [{"name": ":authority", "string_match": {"exact": "shop"}}]},
        plain=get(),
        capitals=get(host="SHOP"),
    ),
    *_match(
        "two headers",
        {"prefix": "/", "headers": [{"name": "x-a", "present_match": True}, {"name": "x-b", "present_match": True}]},
        one=get("/", "X-A: 1"),
        both=get("/", "X-A: 1", "X-B: 1"),
    ),
    *_query("exact", string_match={"exact": "a"}),
    *_query("regex", string_match={"safe_regex": {"regex": "a+"}}),
    *_query("prefix", string_match={"prefix": "a"}),
    *_query("present", present_match=True),
    *_query("absent", present_match=False),
    *_hosts(
        "in order",
        ("*", "*.b.c", "a.b.c", "a.b.*", "a.*"),
        *("a.b.c", "x.b.c", "a.b.d", "a.x", "q", "A.B.C", "b.c", ".b.c", "a.b.", "a.b.c:80", "x.b.c:80"),
    ),
    *_hosts("the longest wildcard", ("*.c", "*.b.c", "a*"), "x.b.c", "x.c", "axx", "zz", "ab.c", "c"),
    *_hosts("with ports", ("shop:8080", "shop", "*:9090"), "shop:8080", "shop", "shop:80", "x:9090"),
    *_hosts(
        "whose port is ignored", ("shop", "*.b"), "shop:8080", "x.b:80", "[::1]:80", ignore_port_in_host_matching=True
    ),
    *_hosts("none of which fits", ("other",), "shop"),
    *_hosts("a wildcard in a word", ("*-bar.foo.com", "*"), "baz-bar.foo.com", "-bar.foo.com"),
)
