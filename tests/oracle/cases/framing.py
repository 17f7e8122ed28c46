"""How long bodies are, and how that is said."""

from oracle.script import GATEWAY, INBOUND, Setup, case, chunked, get, post

CASES = (
    case("a GET is answered", get("/")),
    case("a GET is answered inbound", get("/"), setup=Setup(at=INBOUND)),
    case("a GET is answered at the edge", get("/"), setup=Setup(at=GATEWAY)),
    case("a POST with a length goes through", post("hello")),
    case("a chunked POST goes through", chunked("hello", " world")),
)
