"""What a client may say by x-envoy-* headers, at an edge and inside, and what is set for the server and the client."""

from oracle.script import CLOSE, GATEWAY, INBOUND, NOTHING, OUTBOUND, Setup, case, closed, get, response, serve

COMMANDS = (
    "x-envoy-upstream-rq-timeout-ms: 500",
    "x-envoy-upstream-rq-per-try-timeout-ms: 400",
    "x-envoy-expected-rq-timeout-ms: 333",
    "x-envoy-upstream-rq-timeout-alt-response: 1",
    "x-envoy-upstream-stream-duration-ms: 9000",
    "x-envoy-upstream-alt-stat-name: alt",
    "x-envoy-retry-on: 5xx",
    "x-envoy-retry-grpc-on: cancelled",
    "x-envoy-max-retries: 3",
    "x-envoy-retriable-status-codes: 418",
    "x-envoy-retriable-header-names: x-foo",
    "x-envoy-hedge-on-per-try-timeout: true",
    "x-envoy-force-trace: 1",
    "x-envoy-ip-tags: a",
    "x-envoy-internal: true",
)
CLAIMS = (
    "x-envoy-attempt-count: 7",
    "x-envoy-external-address: 9.9.9.9",
    "x-envoy-original-path: /before",
    "x-envoy-original-host: before",
    "x-envoy-decorator-operation: op",
    "x-envoy-downstream-service-cluster: a",
    "x-envoy-downstream-service-node: b",
    "x-envoy-upstream-service-time: 9",
    "x-envoy-overloaded: true",
    "x-forwarded-host: other",
    "via: 1.1 before",
    "forwarded: for=1.2.3.4",
    "server: mine",
)
XFF = "x-forwarded-for: 10.0.0.1"
INTERNAL = {"internal_address_config": {"cidr_ranges": [{"address_prefix": "10.0.0.0", "prefix_len": 8}]}}
LOOPBACK = {"internal_address_config": {"cidr_ranges": [{"address_prefix": "127.0.0.0", "prefix_len": 8}]}}
ID = "x-request-id: 01234567-89ab-4def-8123-456789abcdef"
COUNTED = {"include_attempt_count_in_response": True, "include_request_attempt_count": True}
ROUTED = {"timeout": "3s"}
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
PLAIN = {
    "http_filters": [
        {"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER, "suppress_envoy_headers": True}}
    ]
}
BUSY = response(503, body="")
SILENT = serve(NOTHING)


def at_every_place(what: str, *fields: str) -> tuple:
    return tuple(
        case(f"{what}, {place}", get("/", *fields), setup=Setup(at=place)) for place in (OUTBOUND, INBOUND, GATEWAY)
    )


def internal(name: str, *fields: str, answers: tuple = (response(),), **setup) -> tuple:
    """An internal request, behind an edge."""
    wished = Setup(hcm=INTERNAL, **setup)
    return (case(name, serve(*answers), get("/", XFF, *fields), setup=wished),)


CASES = (
    *at_every_place("commands of a client go unheard", *COMMANDS),
    *at_every_place("commands from an internal address go unheard where none is configured", XFF, *COMMANDS),
    *at_every_place("what a hop before said of the request", *CLAIMS),
    *at_every_place("the request's own id", "x-request-id: 01234567-89ab-4def-8123-456789abcdef"),
    *at_every_place("a chain of addresses", "x-forwarded-for: 1.2.3.4", "x-forwarded-for: 5.6.7.8, 9.9.9.9"),
    *at_every_place("a protocol forwarded", "x-forwarded-proto: https"),
    *at_every_place("a client certificate that nobody has shown", "x-forwarded-client-cert: Hash=abc"),
    *(
        case(
            f"what the server says of itself, {place}",
            serve(response(200, "Server: nginx", "Via: 1.1 x", "X-Envoy-Upstream-Service-Time: 7", "X-Request-Id: 1")),
            get("/"),
            setup=Setup(at=place),
        )
        for place in (OUTBOUND, INBOUND, GATEWAY)
    ),
    *internal(
        "an internal request waits as long as it says", "x-envoy-upstream-rq-timeout-ms: 200", answers=(NOTHING,)
    ),
    *internal(
        "an internal request wants 204 for a timeout",
        "x-envoy-upstream-rq-timeout-ms: 200",
        "x-envoy-upstream-rq-timeout-alt-response: 0",
        answers=(NOTHING,),
    ),
    *internal("a timeout that is no number", "x-envoy-upstream-rq-timeout-ms: 2x", route={"timeout": "3s"}),
    *internal("a timeout of 0 is none", "x-envoy-upstream-rq-timeout-ms: 0", route={"timeout": "3s"}),
    *internal("a timeout goes before the route's", "x-envoy-upstream-rq-timeout-ms: 2000", route={"timeout": "3s"}),
    *internal(
        "a per-try timeout longer than the whole counts for nothing",
        "x-envoy-upstream-rq-timeout-ms: 200",
        "x-envoy-upstream-rq-per-try-timeout-ms: 300",
        answers=(NOTHING,),
    ),
    *internal("a per-try timeout alone", "x-envoy-upstream-rq-per-try-timeout-ms: 200", answers=(NOTHING,)),
    *internal(
        "the longest stream of an internal request", "x-envoy-upstream-stream-duration-ms: 200", answers=(NOTHING,)
    ),
    *internal("an internal request wants retries", "x-envoy-retry-on: 5xx", answers=(BUSY,)),
    *internal(
        "an internal request wants three retries, unknown words are nothing",
        "x-envoy-retry-on: gateway-error, bogus",
        "x-envoy-max-retries: 3",
        answers=(BUSY,),
    ),
    *internal(
        "an internal request wants no retries",
        "x-envoy-max-retries: 0",
        answers=(BUSY,),
        route={"retry_policy": {"retry_on": "5xx", "num_retries": 2}},
    ),
    *internal(
        "an internal request names status codes",
        "x-envoy-retry-on: retriable-status-codes",
        "x-envoy-retriable-status-codes: 404,x, 410",
        answers=(response(404, body=""), response(410, body=""), response()),
    ),
    *internal(
        "an internal request names headers",
        "x-envoy-retry-on: retriable-headers",
        "x-envoy-retriable-header-names: x-foo, X-Again",
        answers=(response(200, "x-again: 1", body=""), response()),
    ),
    *internal(
        "an internal request names gRPC statuses",
        "x-envoy-retry-grpc-on: unavailable",
        answers=(response(200, "grpc-status: 14", body=""), response()),
    ),
    *internal("an internal request may hedge, in vain", "x-envoy-hedge-on-per-try-timeout: true"),
    case("two addresses are not internal", get("/", "x-forwarded-for: 10.0.0.1, 10.0.0.2"), setup=Setup(hcm=INTERNAL)),
    case("no address is not internal behind an edge", get("/", *COMMANDS), setup=Setup(hcm=INTERNAL)),
    case("a foreign address is not internal", get("/", "x-forwarded-for: 1.2.3.4"), setup=Setup(hcm=INTERNAL)),
    case("an internal client at the edge", get("/", *CLAIMS), setup=Setup(at=GATEWAY, hcm=LOOPBACK)),
    case("an internal client at the edge with a hop before it", get("/", XFF), setup=Setup(at=GATEWAY, hcm=LOOPBACK)),
    case("a connection that is closed", get("/", "Connection: close"), closed()),
    *(
        case(
            f"{hops} trusted hops, {place}, {len(xff)} lines", get("/", *xff, *more), setup=Setup(at=place, hcm=trusted)
        )
        for hops, trusted in ((1, {"xff_num_trusted_hops": 1}), (2, {"xff_num_trusted_hops": 2}))
        for place in (OUTBOUND, GATEWAY)
        for xff, more in (
            ((), ()),
            (("x-forwarded-for: 1.2.3.4",), ("x-forwarded-proto: https",)),
            (("x-forwarded-for: 6.6.6.6, 1.2.3.4", "x-forwarded-for: 5.5.5.5"), ("x-request-id: mine",)),
        )
    ),
    *(
        case(
            name,
            serve(response(200, "Server: nginx", "X-Request-Id: theirs")),
            get("/", ID),
            setup=Setup(at=GATEWAY, hcm=hcm),
        )
        for name, hcm in (
            ("x-forwarded-for is left alone", {"skip_xff_append": True}),
            ("an edge keeps the request's id", {"preserve_external_request_id": True}),
            ("the response tells the request's id", {"always_set_request_id_in_response": True}),
            ("no id is made", {"generate_request_id": False}),
            ("the server's name is appended if absent", {"server_header_transformation": "APPEND_IF_ABSENT"}),
            ("the server's name passes", {"server_header_transformation": "PASS_THROUGH"}),
            ("the server has a name", {"server_name": "me"}),
        )
    ),
    *(
        case(
            f"envoy's headers are left out: {kind}",
            serve(answer),
            get("/"),
            setup=Setup(route=ROUTED, virtual_host=COUNTED, hcm=PLAIN),
        )
        for kind, answer in (("a response", response()), ("a failure", CLOSE))
    ),
)
