"""Request and response fields: what is kept, set and stripped inside the mesh and at its edge."""

from oracle.script import (
    GATEWAY,
    INBOUND,
    OUTBOUND,
    Case,
    Setup,
    case,
    get,
    http,
    response,
    serve,
)

_UUID = "11111111-2222-4333-8444-555555555555"


def _everywhere(name: str, *fields: str) -> tuple[Case, ...]:
    return tuple(case(f"{name}, {at}", get("/", *fields), setup=Setup(at=at)) for at in (OUTBOUND, INBOUND, GATEWAY))


def _inside_and_edge(name: str, *fields: str) -> tuple[Case, ...]:
    return tuple(case(f"{name}, {at}", get("/", *fields), setup=Setup(at=at)) for at in (INBOUND, GATEWAY))


def _answer(name: str, *fields: str, at: str = INBOUND) -> Case:
    return case(f"answer: {name}, {at}", serve(response(200, *fields)), get(), setup=Setup(at=at))


def _hcm(name: str, *fields: str, at: str = INBOUND, **hcm: object) -> Case:
    return case(name, get("/", *fields), setup=Setup(at=at, hcm=hcm))


_REQUESTS = (
    *_everywhere("ordinary fields", "User-Agent: a", "Accept: */*", "X-Custom: B"),
    *_everywhere("x-forwarded-for", "X-Forwarded-For: 9.9.9.9"),
    *_inside_and_edge("x-forwarded-for of several", "X-Forwarded-For: 9.9.9.9, 10.0.0.1"),
    *_inside_and_edge("two x-forwarded-for", "X-Forwarded-For: 9.9.9.9", "X-Forwarded-For: 8.8.8.8"),
    *_inside_and_edge("x-forwarded-for that is no address", "X-Forwarded-For: nonsense"),
    *_inside_and_edge("an internal x-forwarded-for", "X-Forwarded-For: 10.0.0.1"),
    *_inside_and_edge("an empty x-forwarded-for", "X-Forwarded-For:"),
    *_everywhere("x-forwarded-proto", "X-Forwarded-Proto: https"),
    *_inside_and_edge("a wrong x-forwarded-proto", "X-Forwarded-Proto: ftp"),
    *_inside_and_edge("x-forwarded-host and -port", "X-Forwarded-Host: a", "X-Forwarded-Port: 1"),
    *_everywhere("x-request-id", f"X-Request-Id: {_UUID}"),
    *_inside_and_edge("x-request-id that is no UUID", "X-Request-Id: mine"),
    *_everywhere("x-envoy-internal", "X-Envoy-Internal: true"),
    *_everywhere("x-envoy-external-address", "X-Envoy-External-Address: 9.9.9.9"),
    *_everywhere("x-envoy-decorator-operation", "X-Envoy-Decorator-Operation: mine"),
    *_everywhere(
        "x-envoy-downstream-service-cluster",
        "X-Envoy-Downstream-Service-Cluster: a",
        "X-Envoy-Downstream-Service-Node: b",
    ),
    *_everywhere(
        "x-envoy-retry-on", "X-Envoy-Retry-On: 5xx", "X-Envoy-Max-Retries: 3", "X-Envoy-Retry-Grpc-On: internal"
    ),
    *_everywhere("x-envoy-upstream-rq-timeout-ms", "X-Envoy-Upstream-Rq-Timeout-Ms: 1000"),
    *_everywhere("x-envoy-upstream-rq-per-try-timeout-ms", "X-Envoy-Upstream-Rq-Per-Try-Timeout-Ms: 1000"),
    *_everywhere("x-envoy-expected-rq-timeout-ms", "X-Envoy-Expected-Rq-Timeout-Ms: 1000"),
    *_everywhere("x-envoy-attempt-count", "X-Envoy-Attempt-Count: 7"),
    *_inside_and_edge("x-envoy-original-path", "X-Envoy-Original-Path: /mine", "X-Envoy-Original-Url: http://a/"),
    *_inside_and_edge("x-envoy-force-trace", "X-Envoy-Force-Trace: true"),
    *_inside_and_edge("x-envoy-upstream-alt-stat-name", "X-Envoy-Upstream-Alt-Stat-Name: a", "X-Envoy-Ip-Tags: b"),
    *_inside_and_edge(
        "x-envoy-retriable-status-codes", "X-Envoy-Retriable-Status-Codes: 404", "X-Envoy-Retriable-Header-Names: a"
    ),
    *_inside_and_edge(
        "x-envoy-hedge-on-per-try-timeout",
        "X-Envoy-Hedge-On-Per-Try-Timeout: true",
        "X-Envoy-Upstream-Rq-Timeout-Alt-Response: 1",
    ),
    *_inside_and_edge("an unknown x-envoy field", "X-Envoy-Mine: a"),
    *_everywhere("x-forwarded-client-cert", "X-Forwarded-Client-Cert: By=spiffe://a;Hash=1"),
    *_inside_and_edge("x-client-trace-id", f"X-Client-Trace-Id: {_UUID}"),
    *_inside_and_edge("via, forwarded and x-real-ip", "Via: 1.1 a", "Forwarded: for=1.2.3.4", "X-Real-Ip: 1.2.3.4"),
    *_inside_and_edge(
        "hop-by-hop fields", "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "TE: trailers, deflate"
    ),
    *_inside_and_edge("fields that Connection names", "Connection: x-a, x-b", "X-A: 1", "X-B: 2", "X-C: 3"),
    *_inside_and_edge("proxy-authorization", "Proxy-Authorization: Basic a", "Proxy-Authenticate: b"),
    *_inside_and_edge("te without trailers", "TE: deflate"),
    *_inside_and_edge("te and trailer", "TE: trailers", "Trailer: X-T"),
    case("Connection that names Host", get("/", "Connection: host"), setup=Setup(at=INBOUND)),
    case(
        "Connection that names x-forwarded-for",
        get("/", "Connection: x-forwarded-for", "X-Forwarded-For: 1.1.1.1"),
        setup=Setup(at=INBOUND),
    ),
    case(
        "Connection that names x-forwarded-for, edge", get("/", "Connection: x-forwarded-for"), setup=Setup(at=GATEWAY)
    ),
    case("Connection that names x-forwarded-proto", get("/", "Connection: x-forwarded-proto"), setup=Setup(at=INBOUND)),
    case(
        "Connection that names x-envoy-internal",
        get("/", "Connection: x-envoy-internal", "X-Envoy-Internal: true"),
        setup=Setup(at=INBOUND),
    ),
    case("Connection that names te", get("/", "Connection: te", "TE: trailers"), setup=Setup(at=INBOUND)),
    case("Connection that names itself", get("/", "Connection: connection"), setup=Setup(at=INBOUND)),
    case("Connection that names cookie", get("/", "Connection: cookie", "Cookie: a=1"), setup=Setup(at=INBOUND)),
    case(
        "Connection that names authorization",
        get("/", "Connection: Authorization", "Authorization: Basic a"),
        setup=Setup(at=INBOUND),
    ),
    case("upgrade-insecure-requests", get("/", "Upgrade-Insecure-Requests: 1"), setup=Setup(at=INBOUND)),
    case("an Upgrade without Connection", get("/", "Upgrade: websocket"), setup=Setup(at=INBOUND)),
    case(
        "an upgrade to h2c",
        get("/", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"),
        setup=Setup(at=INBOUND),
    ),
    case("several cookies", get("/", "Cookie: a=1", "Cookie: b=2"), setup=Setup(at=INBOUND)),
    case("fields of one name", get("/", "X-A: 1", "X-B: 2", "X-A: 3"), setup=Setup(at=INBOUND)),
    case(
        "two fields that there may be only one of",
        get("/", "User-Agent: a", "User-Agent: b", "Authorization: x", "Authorization: y"),
        setup=Setup(at=INBOUND),
    ),
    case("two Accepts", get("/", "Accept: a", "Accept: b"), setup=Setup(at=INBOUND)),
    case("two x-request-ids", get("/", f"X-Request-Id: {_UUID}", "X-Request-Id: b"), setup=Setup(at=INBOUND)),
    case("max-forwards", http("OPTIONS / HTTP/1.1\nHost: shop\nMax-Forwards: 0"), setup=Setup(at=INBOUND)),
    _hcm(
        "edge with a trusted hop",
        "X-Forwarded-For: 9.9.9.9, 8.8.8.8",
        "X-Forwarded-Proto: https",
        at=GATEWAY,
        xff_num_trusted_hops=1,
    ),
    _hcm("edge with two trusted hops", "X-Forwarded-For: 9.9.9.9, 8.8.8.8", at=GATEWAY, xff_num_trusted_hops=2),
    _hcm("edge with more trusted hops than there are", "X-Forwarded-For: 9.9.9.9", at=GATEWAY, xff_num_trusted_hops=5),
    _hcm("inside with a trusted hop", "X-Forwarded-For: 9.9.9.9, 8.8.8.8", xff_num_trusted_hops=1),
    _hcm("edge that does not append", "X-Forwarded-For: 9.9.9.9", at=GATEWAY, skip_xff_append=True),
    _hcm("edge that keeps request ids", f"X-Request-Id: {_UUID}", at=GATEWAY, preserve_external_request_id=True),
    _hcm("request ids in responses", at=GATEWAY, always_set_request_id_in_response=True),
    _hcm("no request ids", generate_request_id=False),
    _hcm("no request ids, but there is one", f"X-Request-Id: {_UUID}", generate_request_id=False),
    _hcm(
        "forwarded client certificates are sanitized",
        "X-Forwarded-Client-Cert: By=a",
        forward_client_cert_details="SANITIZE",
    ),
    _hcm(
        "forwarded client certificates are always forwarded",
        "X-Forwarded-Client-Cert: By=a",
        forward_client_cert_details="ALWAYS_FORWARD_ONLY",
    ),
    _hcm(
        "forwarded client certificates are forwarded over mTLS only",
        "X-Forwarded-Client-Cert: By=a",
        forward_client_cert_details="FORWARD_ONLY",
    ),
)

_RESPONSES = (
    _answer("ordinary fields", "Content-Type: text/html", "ETag: a", "X-Custom: B"),
    *(_answer("server", "Server: mine", at=at) for at in (OUTBOUND, INBOUND, GATEWAY)),
    _answer("date", "Date: Thu, 01 Jan 1970 00:00:00 GMT"),
    _answer("hop-by-hop fields", "Keep-Alive: timeout=5", "Proxy-Connection: close", "Trailer: X-T", "TE: trailers"),
    _answer("fields that Connection names", "Connection: x-a", "X-A: 1", "X-B: 2"),
    _answer("keep-alive", "Connection: keep-alive", "Keep-Alive: max=5"),
    _answer("upgrade", "Upgrade: h2c"),
    _answer("upgrade that Connection names", "Connection: upgrade", "Upgrade: h2c"),
    *(
        _answer(
            "x-envoy fields",
            "X-Envoy-Upstream-Service-Time: 5",
            "X-Envoy-Upstream-Canary: true",
            "X-Envoy-Attempt-Count: 4",
            "X-Envoy-Decorator-Operation: a",
            "X-Envoy-Overloaded: true",
            "X-Envoy-Ratelimited: true",
            "X-Envoy-Degraded: a",
            "X-Envoy-Immediate-Health-Check-Fail: a",
            at=at,
        )
        for at in (INBOUND, GATEWAY)
    ),
    _answer("x-request-id", f"X-Request-Id: {_UUID}"),
    _answer("two cookies", "Set-Cookie: a=1", "Set-Cookie: b=2"),
    _answer("fields of one name", "X-A: 1", "X-B: 2", "X-A: 3"),
    _answer(
        "two servers and two dates",
        "Server: a",
        "Server: b",
        "Date: Thu, 01 Jan 1970 00:00:00 GMT",
        "Date: b",
        at=OUTBOUND,
    ),
    _answer("via and proxy-authenticate", "Via: 1.1 a", "Proxy-Authenticate: Basic"),
    _answer("names in capitals", "X-MiXeD: VaLuE"),
    _answer("an empty value", "X-A:"),
    _answer(
        "alt-svc and strict-transport-security",
        'Alt-Svc: h3=":443"',
        "Strict-Transport-Security: max-age=1",
        at=GATEWAY,
    ),
    case(
        "answer: server appended if absent",
        serve(response(200, "Server: mine")),
        get(),
        setup=Setup(at=INBOUND, hcm={"server_header_transformation": "APPEND_IF_ABSENT"}),
    ),
    case(
        "answer: no server appended",
        get(),
        setup=Setup(at=INBOUND, hcm={"server_header_transformation": "APPEND_IF_ABSENT"}),
    ),
    case(
        "answer: no server passed through",
        get(),
        setup=Setup(at=INBOUND, hcm={"server_header_transformation": "PASS_THROUGH"}),
    ),
    case("answer: another server name", get(), setup=Setup(at=INBOUND, hcm={"server_name": "mine"})),
)

CASES = _REQUESTS + _RESPONSES
