"""Cross-origin resource sharing: preflights, marked responses, foreign origins."""

from typing import Any

from oracle.script import CLOSE, SHOP, Case, Setup, Step, case, get, http, response, serve

_POLICY = "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy"
_ALLOWED, _FOREIGN = "Origin: https://a.example", "Origin: https://evil.example"
_ORIGINS = ({"exact": "https://a.example"}, {"prefix": "https://pre."}, {"safe_regex": {"regex": "https://[0-9]+"}})
_FULL: dict[str, Any] = {
    "allow_methods": "GET,POST",
    "allow_headers": "x-a,x-b",
    "expose_headers": "x-c",
    "max_age": "60",
    "allow_credentials": True,
}


def _cors(name: str, *steps: Step | bytes, action: dict[str, Any] | None = None, **policy: Any) -> Case:
    config = {"@type": _POLICY, "allow_origin_string_match": list(_ORIGINS), **policy}
    configs = {"envoy.filters.http.cors": config}
    forward = action or {"route": {"cluster": SHOP}}
    route = {"match": {"prefix": "/"}, **forward, "typed_per_filter_config": configs}
    return case(f"cors: {name}", *steps, setup=Setup(routes=(route,)))


def _preflight(origin: str = _ALLOWED, *fields: str) -> Step | bytes:
    lines = ("OPTIONS /a HTTP/1.1", "Host: shop", origin, "Access-Control-Request-Method: PUT", *fields)
    return http("\n".join(lines))


_ASKED = "Access-Control-Request-Headers: x-d"
_OPTIONS = http(f"OPTIONS /a HTTP/1.1\nHost: shop\n{_ALLOWED}")
_EMPTY_METHOD = http(f"OPTIONS /a HTTP/1.1\nHost: shop\n{_ALLOWED}\nAccess-Control-Request-Method:")
_MARKED = serve(
    response(200, "Access-Control-Allow-Origin: https://s", "Access-Control-Expose-Headers: x-s", "X-Other: 1")
)
_HALF = {"default_value": {"numerator": 0, "denominator": "HUNDRED"}}
_REDIRECT = {"redirect": {"path_redirect": "/b"}}
_DIRECT = {"direct_response": {"status": 200}}

CASES = (
    _cors("a request without an origin", get(), **_FULL),
    _cors("a request with an empty origin", get("/", "Origin:"), **_FULL),
    *(_cors(f"a request of {o}", get("/", o), **_FULL) for o in (_ALLOWED, _FOREIGN, "Origin: https://pre.x")),
    _cors("a request of an origin by regex", get("/", "Origin: https://123"), **_FULL),
    _cors("a request of half a regex", get("/", "Origin: https://123x"), **_FULL),
    _cors("a request with a bare policy", get("/", _ALLOWED)),
    _cors("the server's own fields are replaced", _MARKED, get("/", _ALLOWED), **_FULL),
    _cors("the server's own fields stay for a foreign origin", _MARKED, get("/", _FOREIGN), **_FULL),
    _cors("a preflight", _preflight(), **_FULL),
    _cors("a preflight with a bare policy", _preflight()),
    _cors("a preflight of a foreign origin", _preflight(_FOREIGN), **_FULL),
    _cors("a foreign preflight, not forwarded", _preflight(_FOREIGN), forward_not_matching_preflights=False, **_FULL),
    _cors(
        "a preflight for anything", _preflight(_ALLOWED, _ASKED), **_FULL | {"allow_methods": "*", "allow_headers": "*"}
    ),
    _cors("a preflight for any field, none asked for", _preflight(), **_FULL | {"allow_headers": "*"}),
    _cors(
        "a preflight of a private network",
        _preflight(_ALLOWED, "Access-Control-Request-Private-Network: true"),
        allow_private_network_access=True,
    ),
    _cors("OPTIONS that is no preflight", _OPTIONS, **_FULL),
    _cors("OPTIONS with an empty method", _EMPTY_METHOD, **_FULL),
    _cors("any origin", get("/", _FOREIGN), allow_origin_string_match=[{"exact": "*"}]),
    _cors("any origin by regex", get("/", _FOREIGN), allow_origin_string_match=[{"safe_regex": {"regex": ".*"}}]),
    _cors("no origin at all", get("/", _ALLOWED), allow_origin_string_match=[]),
    _cors("switched off", get("/", _ALLOWED), filter_enabled=_HALF, **_FULL),
    _cors("a redirect is not marked", get("/", _ALLOWED), action=_REDIRECT, **_FULL),
    _cors("a direct response is not marked", get("/", _ALLOWED), action=_DIRECT, **_FULL),
    _cors("a preflight of a direct response", _preflight(), action=_DIRECT, **_FULL),
    _cors("an answer of the proxy is marked", serve(CLOSE), get("/", _ALLOWED), **_FULL),
)
