"""request_headers_to_add and its like, at each level, and the formatters in them."""

from typing import Any

from oracle.script import (
    CLOSE,
    NOTHING,
    SHOP,
    Case,
    Setup,
    Step,
    answered,
    case,
    chunked,
    get,
    http,
    post,
    response,
    serve,
)

APPEND, IF_ABSENT, OVERWRITE, IF_EXISTS = ACTIONS = (
    "APPEND_IF_EXISTS_OR_ADD",
    "ADD_IF_ABSENT",
    "OVERWRITE_IF_EXISTS_OR_ADD",
    "OVERWRITE_IF_EXISTS",
)


def option(key: str, value: str, action: str = APPEND, **fields: Any) -> dict[str, Any]:
    return {"header": {"key": key, "value": value}, "append_action": action, **fields}


def level(value: str, action: str) -> dict[str, Any]:
    options = [option("x-level", value, action)]
    return {"request_headers_to_add": options, "response_headers_to_add": options}


def _route(name: str, *steps: Step | bytes, **fields: Any) -> Case:
    action = {} if "redirect" in fields or "direct_response" in fields else {"route": {"cluster": SHOP}}
    route = {"name": "mine", "match": {"prefix": "/"}, **action, **fields}
    return case(f"header changes: {name}", *steps, setup=Setup(routes=(route,)))


def _of_request(action: str, key: str) -> tuple[Case, ...]:
    add = {"request_headers_to_add": [option(key, "new", action)]}
    return (
        _route(f"{action} of {key} that is absent", get(), **add),
        _route(f"{action} of {key} that is there", get("/", f"{key}: old"), **add),
        _route(f"{action} of {key} that is there twice", get("/", f"{key}: a", "x-m: 1", f"{key}: b"), **add),
    )


def _of_response(action: str, key: str) -> tuple[Case, ...]:
    add = {"response_headers_to_add": [option(key, "new", action)]}
    return (
        _route(f"{action} of {key} that the answer has not", get(), **add),
        _route(f"{action} of {key} that the answer has", serve(response(200, f"{key}: old")), get(), **add),
    )


def _at_all_levels(action: str, most_specific_wins: bool) -> Case:
    weighted = {"weighted_clusters": {"clusters": [{"name": SHOP, "weight": 1, **level("cluster", action)}]}}
    configuration = {**level("all", action), "most_specific_header_mutations_wins": most_specific_wins}
    return case(
        f"header changes: {action} at all levels, " + ("the most specific wins" if most_specific_wins else "as ever"),
        get("/", "x-level: own"),
        setup=Setup(
            hcm={"route_config": configuration},
            virtual_host=level("host", action),
            routes=({"match": {"prefix": "/"}, "route": weighted, **level("route", action)},),
        ),
    )


def _own_answer(name: str, *steps: Step | bytes, route: dict[str, Any] | None = None, **setup: Any) -> Case:
    """What the proxy says in the server's place has the route's fields too."""
    weighted = {"name": SHOP, "weight": 1, "response_headers_to_add": [option("x-cluster", "%RESPONSE_CODE%")]}
    changed = {"response_headers_to_add": [option("x-route", "%RESPONSE_CODE_DETAILS%")]}
    action = {"weighted_clusters": {"clusters": [weighted]}, **(route or {})}
    routes = ({"match": {"prefix": "/"}, "route": action, **changed},)
    return case(f"header changes of its own answer: {name}", *steps, setup=Setup(routes=routes, **setup))


_OPERATORS = (
    "%PROTOCOL%",
    "%REQ(X-A)%",
    "%REQ(X-NO)%",
    "%REQ(X-NO?X-A)%",
    "%REQ(X-A):2%",
    "%REQ(:AUTHORITY)%",
    "%RESP(X-R)%",
    "%ROUTE_NAME%",
    "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%",
    "%REQUESTED_SERVER_NAME%",
    "%RESPONSE_CODE%",
    "%RESPONSE_CODE_DETAILS%",
    "%DOWNSTREAM_PEER_URI_SAN%",
    "50%%",
    "a%REQ(X-A)%b%PROTOCOL%",
)
_NO_LENGTH = {"request_headers_to_remove": ["content-length"], "response_headers_to_remove": ["content-length"]}
_ADDED = {"response_headers_to_add": [option("x-a", "1")]}

CASES = (
    *(item for action in ACTIONS for key in ("x-a", "accept") for item in _of_request(action, key)),
    *(item for action in ACTIONS for key in ("x-a", "vary", "location", "date") for item in _of_response(action, key)),
    *(_at_all_levels(action, wins) for action in ACTIONS for wins in (False, True)),
    *(
        _route(
            f"formatted {text}",
            serve(response(200, "X-R: r")),
            get("/", "X-A: abc"),
            request_headers_to_add=[option("x-f", text)],
            response_headers_to_add=[option("x-f", text)],
        )
        for text in _OPERATORS
    ),
    _route("an empty value", get(), request_headers_to_add=[option("x-a", "")]),
    _route("an empty value that is kept", get(), request_headers_to_add=[option("x-a", "", keep_empty_value=True)]),
    _route("two of a name", get(), request_headers_to_add=[option("x-a", "1"), option("x-a", "2")]),
    _route("a second cookie", get("/", "Cookie: a=1"), request_headers_to_add=[option("cookie", "b=2")]),
    _route(
        "a second Set-Cookie",
        serve(response(200, "Set-Cookie: a=1")),
        get(),
        response_headers_to_add=[option("set-cookie", "b=2")],
    ),
    _route("a name in capitals", get(), request_headers_to_add=[option("X-Big", "Value")]),
    _route("removed", get("/", "X-A: 1", "X-B: 2", "X-A: 3"), request_headers_to_remove=["X-A"]),
    _route(
        "removed and added",
        get("/", "X-A: 1"),
        request_headers_to_remove=["x-a"],
        request_headers_to_add=[option("x-a", "2")],
    ),
    _route(
        "removed from the answer",
        serve(response(200, "X-A: 1", "Server: a")),
        get(),
        response_headers_to_remove=["x-a", "server", "date"],
    ),
    _route("a request loses its length", post("hello"), answered(), get(), answered(), **_NO_LENGTH),
    _route(
        "a GET loses its length", http("GET / HTTP/1.1\nHost: shop\nContent-Length: 2\n\nab"), answered(), **_NO_LENGTH
    ),
    _route("a request without a body loses its length", post(""), answered(), **_NO_LENGTH),
    _route("the answer to a HEAD loses its length", http("HEAD / HTTP/1.1\nHost: shop"), answered(), **_NO_LENGTH),
    _route("a request loses its coding", chunked("ab"), request_headers_to_remove=["transfer-encoding"]),
    _route("of a redirect", get(), redirect={"host_redirect": "other"}, **_ADDED),
    _route("of a direct response", get(), direct_response={"status": 200}, **_ADDED),
    case(
        "header changes: of a host without a route",
        get("/x"),
        setup=Setup(virtual_host=_ADDED, routes=({"match": {"path": "/"}, "route": {"cluster": SHOP}},)),
    ),
    _own_answer("refused", get(), refusing=("shop-1",)),
    _own_answer("the server closes", serve(CLOSE), get()),
    _own_answer("the server talks nonsense", serve(b"nonsense\r\n\r\n"), get()),
    _own_answer("too many", get(), cluster={"circuit_breakers": {"thresholds": [{"max_requests": 0}]}}),
    _own_answer("too slow", serve(NOTHING), get(), route={"timeout": "0.2s"}),
    _own_answer("too slow a try", serve(NOTHING), get(), route={"retry_policy": {"per_try_timeout": "0.1s"}}),
    _own_answer("idle", serve(NOTHING), get(), route={"idle_timeout": "0.2s"}),
)
