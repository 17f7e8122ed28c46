"""Weights, hash policies and mirrors: who gets the request, and what the client hears of it."""

from typing import Any

from oracle.script import OTHER, SHOP, Case, Setup, Step, answered, case, chunked, get, http, post, sees, send


def _weights(name: str, shop: int, other: int, **fields: Any) -> Case:
    clusters = [{"name": SHOP, "weight": shop, **fields}, {"name": OTHER, "weight": other}]
    route = {"match": {"prefix": "/"}, "route": {"weighted_clusters": {"clusters": clusters}}}
    return case(f"weights: {name}", get(), setup=Setup(routes=(route,)))


def _hash(name: str, *steps: Step | bytes, policies: tuple[dict[str, Any], ...]) -> Case:
    ring = {"lb_policy": "RING_HASH"}
    return case(f"hash: {name}", *steps, setup=Setup(route={"hash_policy": policies}, cluster=ring, endpoints=3))


def _cookie(name: str, *steps: Step | bytes, **fields: Any) -> Case:
    return _hash(f"cookie, {name}", *steps, policies=({"cookie": {"name": "c", **fields}},))


def _mirror(name: str, *steps: Step | bytes, action: dict[str, Any] | None = None, **policy: Any) -> Case:
    mirrored = {"cluster": SHOP, "request_mirror_policies": [{"cluster": OTHER, **policy}], **(action or {})}
    return case(f"mirror: {name}", *steps, setup=Setup(routes=({"match": {"prefix": "/"}, "route": mirrored},)))


def _twice(request: bytes) -> tuple[Step | bytes, ...]:
    return (request, answered(), request, answered())


_HEADER = {"header": {"header_name": "x-u"}, "terminal": True}
_COOKIE = {"cookie": {"name": "c", "ttl": "60s"}}
_NONE, _ALL = ({"default_value": {"numerator": percent}} for percent in (0, 100))

CASES = (
    _weights("0 and 100", 0, 100),
    _weights("100 and 0", 100, 0),
    _weights("a host rewritten", 1, 0, host_rewrite_literal="there"),
    case(
        "weights: a host rewritten by both",
        get(),
        setup=Setup(
            routes=(
                {
                    "match": {"prefix": "/"},
                    "route": {
                        "host_rewrite_literal": "route",
                        "weighted_clusters": {
                            "clusters": [{"name": SHOP, "weight": 1, "host_rewrite_literal": "cluster"}]
                        },
                    },
                },
            )
        ),
    ),
    _hash("header", *_twice(get("/", "X-U: a")), policies=(_HEADER,)),
    _hash("header in two fields", get("/", "X-U: a", "X-U: b"), policies=(_HEADER,)),
    _hash(
        "source ip",
        *_twice(get()),
        send(get(), 2),
        answered(1, 2),
        policies=({"connection_properties": {"source_ip": True}},),
    ),
    _hash("query parameter", *_twice(get("/?q=1")), policies=({"query_parameter": {"name": "q"}},)),
    _hash("a terminal header and a cookie", get("/", "X-U: a"), policies=(_HEADER, _COOKIE)),
    _hash("a terminal header that is absent and a cookie", get(), policies=(_HEADER, _COOKIE)),
    _cookie("which is there", *_twice(get("/", "Cookie: c=1"))),
    _cookie("which is not there", get()),
    *(_cookie(f"made for {ttl}", *_twice(get()), ttl=ttl) for ttl in ("0s", "60s", "0.5s", "3600.9s")),
    _cookie("made for a path", get(), ttl="60s", path="/p"),
    _cookie(
        "made with attributes", get(), ttl="60s", attributes=[{"name": "SameSite", "value": "Lax"}, {"name": "Secure"}]
    ),
    *(
        _cookie(f"not made for {cookie}", get("/", f"Cookie: {cookie}"), ttl="60s")
        for cookie in ("c=1", "a=1; c=2", 'c="2"', "c=")
    ),
    _cookie("not made for a second field", get("/", "Cookie: a=1", "Cookie: c=2"), ttl="60s"),
    _mirror("a GET", get()),
    _mirror("a host with a port", get(host="shop:80")),
    _mirror("no suffix", get(), disable_shadow_host_suffix_append=True),
    _mirror("a POST", post("hello")),
    _mirror("chunks", chunked("a", "bc")),
    _mirror("trailers", chunked("a", trailers=("x-t: 1",))),
    _mirror("a HEAD", http("HEAD / HTTP/1.1\nHost: shop")),
    _mirror("at 0 %", get(), runtime_fraction=_NONE),
    _mirror("at 100 %", get(), runtime_fraction=_ALL),
    _mirror("rewritten", get("/a"), action={"prefix_rewrite": "/b", "host_rewrite_literal": "new"}),
    _mirror("fields", get("/", "X-A: 1", "Cookie: a=1", "TE: trailers", "Connection: te")),
    _mirror(
        "an expectation",
        http("POST / HTTP/1.1\nHost: shop\nContent-Length: 2\nExpect: 100-continue"),
        sees(b"100"),
        b"ab",
    ),
)
