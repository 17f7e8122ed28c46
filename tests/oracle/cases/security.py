"""AuthorizationPolicies and RequestAuthentications at an inbound listener."""

import json
from base64 import urlsafe_b64encode
from textwrap import indent
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from oracle.script import (
    CLOSE,
    GATEWAY,
    INBOUND,
    OK,
    OTHER,
    Case,
    Setup,
    Step,
    answered,
    case,
    get,
    http,
    post,
    response,
    serve,
)

_KEYS = {"ES256": ec.generate_private_key(ec.SECP256R1()), "RS256": rsa.generate_private_key(65537, 2048)}
_PUBLIC = [
    {**jwt.get_algorithm_by_name(name).to_jwk(key.public_key(), as_dict=True), "kid": name}
    for name, key in _KEYS.items()
]
_JWKS = json.dumps({"keys": _PUBLIC})
_FUTURE, _PAST = 4_000_000_000, 1_000_000_000


def _document(kind: str, spec: str, name: str) -> str:
    head = f"apiVersion: security.istio.io/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: default}}\n"
    return f"{head}spec:\n{indent(spec, '  ')}\n---\n"


def _policy(spec: str, name: str = "p") -> str:
    return _document("AuthorizationPolicy", spec, name)


def _takes(issuer: str = "me", more: str = "", name: str = "jwt") -> str:
    return _document("RequestAuthentication", f"jwtRules: [{{issuer: '{issuer}', jwks: '{_JWKS}'{more}}}]", name)


def _token(algorithm: str = "ES256", key_id: str | None = None, **claims: Any) -> str:
    headers = {"kid": algorithm if key_id is None else key_id}
    return jwt.encode({"iss": "me", "sub": "alice", **claims}, _KEYS[algorithm], algorithm, headers)


def _raw(header: Any, payload: Any, signature: str = "c2ln") -> str:
    parts = (urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, payload))
    return ".".join((*parts, signature))


def _bearer(text: str) -> str:
    return f"Authorization: Bearer {text}"


def _rbac(name: str, policy: str, *steps: Step | bytes) -> Case:
    return case(f"rbac: {name}", *(steps or (get(),)), setup=Setup(at=INBOUND, istio=policy))


def _operation(field: str, *steps: Step | bytes) -> Case:
    return _rbac(f"operation {field}", _policy(f"rules: [{{to: [{{operation: {{{field}}}}}]}}]"), *steps)


def _condition(key: str, value: str, *steps: Step | bytes) -> Case:
    return _rbac(f"{key} {value}", _policy(f"rules: [{{when: [{{key: '{key}', values: ['{value}']}}]}}]"), *steps)


def _jwt(name: str, *steps: Step | bytes, istio: str = "") -> Case:
    return case(f"jwt: {name}", *steps, setup=Setup(at=INBOUND, istio=istio or _takes()))


def _ext_authz(name: str, *steps: Step | bytes, service: dict[str, Any] | None = None, **config: Any) -> Case:
    """The authorizer is the endpoint other-1."""
    http_service = {"server_uri": {"uri": "http://other", "cluster": OTHER, "timeout": "0.3s"}, **(service or {})}
    ext_authz = {"@type": f"{_EXTENSIONS}ext_authz.v3.ExtAuthz", "http_service": http_service, **config}
    filters = [
        {"name": "envoy.filters.http.ext_authz", "typed_config": ext_authz},
        {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{_EXTENSIONS}router.v3.Router"}},
    ]
    return case(f"ext_authz: {name}", *steps, setup=Setup(hcm={"http_filters": filters}))


def _names(**lists: str) -> dict[str, Any]:
    return {key: {"patterns": [{"exact": name, "ignore_case": True}]} for key, name in lists.items()}


_EXTENSIONS = "type.googleapis.com/envoy.extensions.filters.http."


def _by_claim(name: str, match: str, token: str, without: str = "") -> Case:
    """At a gateway: `other` gets what matches, `shop` the rest."""
    field = f"headers: {{{match}}}" if match else f"withoutHeaders: {{{without}}}"
    setup = Setup(at=GATEWAY, istio=_EDGE_TOKENS + _ROUTES % field)
    return case(f"jwt: by claim, {name}", get("/", _bearer(token)), setup=setup)


_EDGE_TOKENS = _takes().replace("namespace: default", "namespace: istio-system")
_ROUTES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: ["*"]
  gateways: [istio-system/edge]
  http:
  - {name: claimed, match: [{%s}], route: [{destination: {host: other}}]}
  - {name: rest, route: [{destination: {host: shop}}]}
"""
_DENY_ALL = _policy("action: DENY\nrules: [{}]")
_TAKES_TWO = _takes("me") + _takes("you", name="second")
_CLAIMS = (
    "outputClaimToHeaders: [{header: x-sub, claim: sub}, {header: x-n, claim: a.n}, {header: x-b, claim: b},"
    " {header: x-f, claim: f}, {header: x-l, claim: l}, {header: x-none, claim: none}, {header: x-neg, claim: neg}]"
)
_NEEDS = _policy("rules: [{from: [{source: {requestPrincipals: ['me/alice']}}]}]")
_OTHER_PAYLOAD = ".".join((_token().split(".")[0], _token(sub="root").split(".")[1], _token().split(".")[2]))

_BAD_TOKENS = {
    "no token": "x",
    "two parts": "a.b",
    "four parts": "a.b.c.d",
    "a header that is no base64": "!!.e30.e30",
    "a header that is no JSON": "YWE.e30.e30",
    "no alg": _raw({}, {}),
    "alg none": _raw({"alg": "none"}, {"iss": "me"}, ""),
    "an unknown alg": _raw({"alg": "XX"}, {}),
    "a kid that is a number": _raw({"alg": "ES256", "kid": 1}, {}),
    "a payload that is no object": _raw({"alg": "ES256"}, [1]),
    "a payload with padding": "eyJhbGciOiJFUzI1NiJ9.e30=.c2ln",
    "an issuer that is a number": _raw({"alg": "ES256"}, {"iss": 1}),
    "a subject that is a number": _raw({"alg": "ES256"}, {"sub": 1}),
    "an exp that is a text": _raw({"alg": "ES256"}, {"exp": "x"}),
    "an exp that is negative": _raw({"alg": "ES256"}, {"exp": -1}),
    "an audience that is a number": _raw({"alg": "ES256"}, {"aud": 1}),
    "a signature that is no base64": _raw({"alg": "ES256"}, {"iss": "me"}, "!"),
    "a signature that is short": _raw({"alg": "ES256"}, {"iss": "me"}),
    "another issuer": _token(iss="you"),
    "no issuer": _raw({"alg": "ES256"}, {}),
    "an unknown kid": _token(key_id="x"),
    "another payload": _OTHER_PAYLOAD,
    "an algorithm of another key": jwt.encode({"iss": "me"}, "x" * 32, "HS256", {"kid": "ES256"}),
    "a time that is over": _token(exp=_PAST),
    "a time that is to come": _token(nbf=_FUTURE),
}

CASES = (
    _rbac("no rules allow nothing", _policy("{}")),
    _rbac("an empty rule allows all", _policy("rules: [{}]")),
    _rbac("an empty rule denies all", _DENY_ALL),
    _rbac("denied POST with a body", _DENY_ALL, post("hello")),
    _rbac("denied HEAD", _DENY_ALL, http("HEAD / HTTP/1.1\nHost: shop")),
    _rbac("denied upgrade", _DENY_ALL, get("/", "Connection: upgrade", "Upgrade: websocket")),
    _rbac("two after each other", _policy("rules: [{to: [{operation: {paths: [/a]}}]}]"), get("/b"), get("/a")),
    _operation("paths: [/a]", get("/a?b")),
    _operation("paths: [/a*]", get("/ab?c")),
    _operation("paths: ['*']", get("/")),
    _operation("paths: ['*/info']", get("/x/info?q=/")),
    _operation("paths: ['/a/{*}/c']", get("/a/b/c")),
    _operation("paths: ['/a/{*}/d']", get("/a/b/b/d")),
    _operation("paths: ['/b/{*}']", get("/b/")),
    _operation("paths: ['/b/{**}']", get("/b/")),
    _operation("paths: ['/c/{**}']", get("/c")),
    _operation("paths: ['/d/{**}']", get("/d/x%20y/z~!$&'()*+,;=:@")),
    _operation("paths: ['/e/{*}']", get('/e/"')),
    _operation("paths: ['/f/{**}/g']", get("/f/x/y/g")),
    _operation("notPaths: [/a]", get("/b/../a")),
    _operation("hosts: ['SHOP*']", http("GET / HTTP/1.1\nHost: shop.example:80")),
    _operation("hosts: ['*.example']", http("GET / HTTP/1.1\nHost: example")),
    _operation("methods: [G*]", get(), post("x")),
    _condition("request.headers[x-a]", "b", get("/", "X-A: a", "X-A: b")),
    _condition("request.headers[x-a]", "a,b", get("/", "X-A: a", "X-A: b")),
    _condition("request.headers[x-a]", "*", get("/", "X-A:")),
    _condition("request.headers[X-B]", "*c", get("/", "x-b: abc")),
    _condition("remote.ip", "198.51.100.0/24", get("/", "X-Forwarded-For: 198.51.100.9")),
    _condition("source.ip", "127.0.0.0/8", get("/", "X-Forwarded-For: 198.51.100.9")),
    _condition("source.principal", "*", get()),
    _condition("connection.sni", "*", get()),
    _rbac("not a principal", _policy("rules: [{from: [{source: {notPrincipals: ['*']}}]}]")),
    _jwt("no token", get()),
    _jwt("a good token", get("/", _bearer(_token()))),
    _jwt("a good token of RSA", get("/", _bearer(_token("RS256")))),
    _jwt("a good token without a kid", get("/", _bearer(_token(key_id="")))),
    _jwt("a good token whose time is to come in a moment", get("/", _bearer(_token(exp=_FUTURE, nbf=_PAST)))),
    _jwt("times that are not whole", get("/", _bearer(_token(exp=_FUTURE + 0.5)))),
    *(_jwt(f"bad, {name}", get("/", _bearer(token))) for name, token in _BAD_TOKENS.items()),
    _jwt("a bad token of a POST", post("hello", _bearer("x"))),
    _jwt("the realm has the path", get("/a/b?c=d", _bearer("x"))),
    _jwt("the realm is cut", get("/" + "a" * 300, _bearer("x"))),
    _jwt("another scheme", get("/", "Authorization: Basic abc")),
    _jwt("a scheme in small letters", get("/", f"Authorization: bearer {_token()}")),
    _jwt("blanks before the token", get("/", f"Authorization: Bearer   {_token()}")),
    _jwt("text behind the token", get("/", f"Authorization: Bearer {_token()}, x")),
    _jwt("nothing behind the scheme", get("/", "Authorization: Bearer")),
    _jwt("two headers, both good", get("/", _bearer(_token()), _bearer(_token("RS256")))),
    _jwt("two headers, one bad", get("/", _bearer(_token()), _bearer("x"))),
    _jwt("a good header and a bad parameter", get("/?access_token=x", _bearer(_token()))),
    _jwt("a token in the query", get(f"/a?x=1&access_token={_token()}&y=2")),
    _jwt("only a token in the query", get(f"/a?access_token={_token()}")),
    _jwt("a preflight", http("OPTIONS / HTTP/1.1\nHost: shop\nOrigin: a\nAccess-Control-Request-Method: GET")),
    _jwt("OPTIONS that is no preflight", http(f"OPTIONS / HTTP/1.1\nHost: shop\nOrigin: a\n{_bearer('x')}")),
    _jwt("a right audience", get("/", _bearer(_token(aud=["a", "shop"]))), istio=_takes(more=", audiences: [shop]")),
    _jwt("a wrong audience", get("/", _bearer(_token(aud="x"))), istio=_takes(more=", audiences: [shop]")),
    _jwt("no audience", get("/", _bearer(_token())), istio=_takes(more=", audiences: [shop]")),
    _jwt(
        "an audience with a scheme",
        get("/", _bearer(_token(aud="shop/"))),
        istio=_takes(more=", audiences: [https://shop]"),
    ),
    _jwt("a token that is forwarded", get("/", _bearer(_token())), istio=_takes(more=", forwardOriginalToken: true")),
    _jwt(
        "the payload as a header",
        get("/", _bearer(_token(a=1)), "X-P: evil"),
        istio=_takes(more=", outputPayloadToHeader: x-p"),
    ),
    _jwt(
        "claims as headers",
        get("/", _bearer(_token(a={"n": 5}, b=True, f=1.5, l=[1], neg=-3)), "X-Sub: evil", "X-None: evil"),
        istio=_takes(more=f", {_CLAIMS}"),
    ),
    _jwt("no token, and a header of claims", get("/", "X-Sub: evil"), istio=_takes(more=f", {_CLAIMS}")),
    _jwt(
        "another header",
        get("/", f"X-T: T {_token()}"),
        istio=_takes(more=", fromHeaders: [{name: X-T, prefix: 'T '}]"),
    ),
    _jwt("a header without a prefix", get("/", f"X-T: {_token()}"), istio=_takes(more=", fromHeaders: [{name: x-t}]")),
    _jwt(
        "another parameter",
        get(f"/?z&t={_token()}&u=1&a=b%20c%2F%41&&b=c=d&z=2"),
        istio=_takes(more=", fromParams: [t]"),
    ),
    _jwt("a cookie", get("/", f"Cookie: a=b; c={_token()}"), istio=_takes(more=", fromCookies: [c]")),
    _jwt("a bad cookie", get("/", "Cookie: c=x"), istio=_takes(more=", fromCookies: [c]")),
    _jwt("the first of two issuers", get("/", _bearer(_token())), istio=_TAKES_TWO),
    _jwt("the second of two issuers", get("/", _bearer(_token(iss="you"))), istio=_TAKES_TWO),
    _jwt("none of two issuers", get("/", _bearer(_token(iss="them"))), istio=_TAKES_TWO),
    _jwt("neither issuer is asked for", get(), istio=_TAKES_TWO),
    _jwt("a bad token of the first of two", get("/", _bearer(_token(exp=_PAST))), istio=_TAKES_TWO),
    _jwt("a bad token of the second of two", get("/", _bearer(_token(iss="you", exp=_PAST))), istio=_TAKES_TWO),
    _jwt("no token of two issuers", get("/", _bearer("x")), istio=_TAKES_TWO),
    _jwt("tokens of both issuers", get(f"/?access_token={_token(iss='you')}", _bearer(_token())), istio=_TAKES_TWO),
    _jwt("required and missing", get(), istio=_takes() + _NEEDS),
    _jwt("required and there", get("/", _bearer(_token())), istio=_takes() + _NEEDS),
    _jwt("required of somebody else", get("/", _bearer(_token(sub="bob"))), istio=_takes() + _NEEDS),
    *(
        _jwt(
            f"claim {key} is {value}",
            get("/", _bearer(_token(aud=["x", "shop"], azp="app", scope="r w", a={"b": ["c"]}, n=5))),
            istio=_takes() + _policy(f"rules: [{{when: [{{key: '{key}', values: ['{value}']}}]}}]"),
        )
        for key, value in (
            ("request.auth.audiences", "shop"),
            ("request.auth.presenter", "app"),
            ("request.auth.claims[scope]", "w"),
            ("request.auth.claims[scope]", "r w"),
            ("request.auth.claims[a][b]", "c"),
            ("request.auth.claims[n]", "5"),
            ("request.auth.principal", "me/*"),
            ("request.auth.principal", "*"),
        )
    ),
    _ext_authz("allowed", serve(OK, OK), get("/a?b", "X-A: b", "Authorization: x", "Cookie: c")),
    _ext_authz("denied", serve(response(401, "X-A: b", "WWW-Authenticate: x", body="no"), OK), get()),
    _ext_authz("denied with 403, without a body", serve(response(403, body=""), OK), get()),
    _ext_authz("denied by a redirect", serve(response(302, "Location: /login", body=""), OK), get()),
    _ext_authz("201 is no permission", serve(response(201, body="x"), OK), get()),
    _ext_authz("a POST is asked about without its body", serve(OK, OK), post("hello")),
    _ext_authz("a denied POST", serve(response(403), OK), post("hello")),
    _ext_authz("an error", serve(response(503), OK), get()),
    _ext_authz("an error, with a status of its own", serve(response(500), OK), get(), status_on_error={"code": 503}),
    _ext_authz("an error, and open", serve(response(500), OK), get(), failure_mode_allow=True),
    _ext_authz("no answer", serve(CLOSE, OK), get()),
    _ext_authz("no answer, and open", serve(CLOSE, OK), get(), failure_mode_allow=True),
    _ext_authz("a prefix of the path", serve(OK, OK), get("/a?b"), service={"path_prefix": "/check"}),
    _ext_authz(
        "headers of the question",
        serve(OK, OK),
        get("/", "X-A: b", "X-B: c"),
        service={
            "authorization_request": {
                **_names(allowed_headers="x-a"),
                "headers_to_add": [{"key": "x-c", "value": "d"}],
            }
        },
    ),
    _ext_authz(
        "headers of a permission",
        serve(response(200, "X-A: new", "X-B: b", "X-C: c", body=""), OK),
        get("/", "X-A: old", "X-B: a"),
        service={
            "authorization_response": _names(
                allowed_upstream_headers="x-a",
                allowed_upstream_headers_to_append="x-b",
                allowed_client_headers_on_success="x-c",
            )
        },
    ),
    _ext_authz(
        "headers of a refusal",
        serve(response(403, "X-A: a", "X-B: b", "Location: l", "Set-Cookie: c", body="no"), OK),
        get(),
        service={"authorization_response": _names(allowed_client_headers="x-b")},
    ),
    _ext_authz("two after each other", serve(OK, OK, response(403), OK), get("/1"), answered(), get("/2")),
    _by_claim("exact", "'@request.auth.claims.group': {exact: a}", _token(group="a")),
    _by_claim("another value", "'@request.auth.claims.group': {exact: a}", _token(group="b")),
    _by_claim("of a list", "'@request.auth.claims.group': {exact: a}", _token(group=["x", "a"])),
    _by_claim("prefix inside of another", "'@request.auth.claims[a][b.c]': {prefix: d}", _token(a={"b.c": "de"})),
    _by_claim("by dots", "'@request.auth.claims.a.b': {regex: 'c+'}", _token(a={"b": "ccc"})),
    _by_claim("presence", "'@request.auth.claims.group': {}", _token(group=5)),
    _by_claim("no presence", "'@request.auth.claims.group': {}", _token()),
    _by_claim("without", "", _token(group="b"), "'@request.auth.claims.group': {exact: a}"),
    _by_claim("not without", "", _token(group="a"), "'@request.auth.claims.group': {exact: a}"),
    _by_claim("a bad token", "'@request.auth.claims.group': {exact: a}", _token(group="a", exp=_PAST)),
)
