"""Paths: normalization, rewrites, redirects."""

from oracle.script import GATEWAY, INBOUND, SHOP, Case, Setup, case, get, http, post


def _normal(name: str, path: str, **hcm: object) -> Case:
    return case(f"path: {name}", get(path), setup=Setup(at=INBOUND, hcm=hcm))


def _rewrite(name: str, path: str, match: dict, **route: object) -> Case:
    return case(
        f"rewrite: {name}", get(path), setup=Setup(routes=({"match": match, "route": {"cluster": SHOP, **route}},))
    )


def _redirect(
    name: str, path: str, match: dict | None = None, host: str = "shop", at: str = GATEWAY, **redirect: object
) -> Case:
    route = {"match": match or {"prefix": "/"}, "redirect": redirect}
    return case(f"redirect: {name}", get(path, host=host), setup=Setup(at=at, routes=(route,)))


_REGEX = {"pattern": {"regex": "^/item/([0-9]+)"}, "substitution": "/items?id=\\1"}

CASES = (
    _normal("dot segments", "/a/./b/../c"),
    _normal("above the root", "/../../etc/passwd"),
    _normal("a dot segment at the end", "/a/b/.."),
    _normal("a single dot at the end", "/a/."),
    _normal("escaped dots", "/a/%2e%2e/b"),
    _normal("half escaped dots", "/a/.%2E/b"),
    _normal("backslashes", "/a\\b\\..\\c"),
    _normal("repeated slashes", "/a//b///c"),
    _normal("repeated slashes merged", "/a//b///c", merge_slashes=True),
    _normal("repeated slashes at the start merged", "///a", merge_slashes=True),
    _normal("escaped slashes", "/a%2Fb%5Cc"),
    _normal("escaped slashes rejected", "/a%2Fb", path_with_escaped_slashes_action="REJECT_REQUEST"),
    _normal("escaped slashes unescaped", "/a%2Fb%5Cc", path_with_escaped_slashes_action="UNESCAPE_AND_FORWARD"),
    _normal("escaped unreserved characters", "/%61%7E%2D%5f"),
    _normal("escapes in small letters", "/%c3%a4"),
    _normal("an incomplete escape", "/a%2"),
    _normal("a wrong escape", "/a%zz"),
    _normal("an escaped NUL", "/a%00b"),
    _normal("an escaped blank and line end", "/a%20b%0d%0a"),
    _normal("a query with dot segments", "/a?b=/../c//d"),
    _normal("a query with odd characters", '/a?"{}|^`<>\\'),
    _normal("odd characters", '/"{}|^`<>[]'),
    _normal("sub-delimiters", "/!$&'()*+,;=:@-._~"),
    _normal("a semicolon parameter", "/a;b=c/../d"),
    _normal("a dot segment with a parameter", "/a/..;/b"),
    _normal("three dots", "/a/.../b"),
    _normal("an escaped question mark and hash", "/a%3Fb%23c"),
    _normal("an escaped percent", "/a%252e%252e/b"),
    _normal("nothing normalized", "/a/../b//c", normalize_path=False),
    _rewrite("a prefix", "/old/a?b", {"prefix": "/old"}, prefix_rewrite="/new"),
    _rewrite("a prefix to the root", "/old/a", {"prefix": "/old"}, prefix_rewrite="/"),
    _rewrite("a prefix with its slash to the root", "/old/a", {"prefix": "/old/"}, prefix_rewrite="/"),
    _rewrite("a prefix and nothing behind it", "/old", {"prefix": "/old"}, prefix_rewrite="/new"),
    _rewrite("a prefix in the midst of a word", "/older", {"prefix": "/old"}, prefix_rewrite="/new"),
    _rewrite("a path-separated prefix", "/old/a", {"path_separated_prefix": "/old"}, prefix_rewrite="/new"),
    _rewrite("a path-separated prefix and only it", "/old?a", {"path_separated_prefix": "/old"}, prefix_rewrite="/new"),
    _rewrite("an exact path", "/old?a=b", {"path": "/old"}, prefix_rewrite="/new"),
    _rewrite("a regex", "/item/7?a=b", {"prefix": "/"}, regex_rewrite=_REGEX),
    _rewrite("a regex that does not match", "/other", {"prefix": "/"}, regex_rewrite=_REGEX),
    _rewrite("the host", "/", {"prefix": "/"}, host_rewrite_literal="elsewhere"),
    _rewrite(
        "the host and the prefix",
        "/old",
        {"prefix": "/old"},
        host_rewrite_literal="elsewhere:81",
        prefix_rewrite="/new",
    ),
    case("rewrite: the host by itself", get("/"), setup=Setup(at=INBOUND, route={"auto_host_rewrite": True})),
    case(
        "rewrite: Istio's",
        get("/v1/a"),
        setup=Setup(
            istio="""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop]
  http: [{match: [{uri: {prefix: /v1}}], rewrite: {uri: /v2, authority: there}, route: [{destination: {host: shop}}]}]
"""
        ),
    ),
    _redirect("to a host", "/a?b=c", host_redirect="other"),
    _redirect("to https", "/a", https_redirect=True),
    _redirect("to https from a port", "/a", host="shop:80", https_redirect=True),
    _redirect("to https from an odd port", "/a", host="shop:8080", https_redirect=True),
    _redirect("to a scheme", "/a", scheme_redirect="ftp"),
    _redirect("to a path", "/a?b", path_redirect="/new"),
    _redirect("to a path with a query", "/a?b", path_redirect="/new?c"),
    _redirect("to a prefix", "/old/a?b", {"prefix": "/old"}, prefix_rewrite="/new"),
    _redirect("to a regex", "/item/7", regex_rewrite=_REGEX),
    _redirect("to a port", "/a", port_redirect=8443),
    _redirect("to a host and a port", "/a", host="shop:80", host_redirect="other", port_redirect=8443),
    _redirect("to a host from a port", "/a", host="shop:80", host_redirect="other"),
    _redirect("with its query stripped", "/a?b=c", host_redirect="other", strip_query=True),
    *(
        _redirect(f"with {code}", "/", host_redirect="other", response_code=code)
        for code in ("FOUND", "SEE_OTHER", "TEMPORARY_REDIRECT", "PERMANENT_REDIRECT")
    ),
    case(
        "redirect: of a POST",
        post("hello"),
        setup=Setup(at=GATEWAY, routes=({"match": {"prefix": "/"}, "redirect": {"host_redirect": "other"}},)),
    ),
    case(
        "redirect: of a HEAD",
        http("HEAD / HTTP/1.1\nHost: shop"),
        setup=Setup(at=GATEWAY, routes=({"match": {"prefix": "/"}, "redirect": {"host_redirect": "other"}},)),
    ),
    case("redirect: where TLS is required", get("/a?b"), setup=Setup(at=GATEWAY, virtual_host={"require_tls": "ALL"})),
    case(
        "redirect: where TLS is required, from a port",
        get("/a?b", host="shop:8080"),
        setup=Setup(at=GATEWAY, virtual_host={"require_tls": "ALL"}),
    ),
)
