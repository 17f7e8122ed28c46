"""WebSocket and other upgrades, and CONNECT."""

from oracle.script import (
    GATEWAY,
    INBOUND,
    SHOP,
    Setup,
    abandoned,
    answered,
    case,
    closed,
    end_sending,
    hang_up,
    http,
    pause,
    receives,
    requested,
    respond,
    sees,
    send,
    server_closes,
    write,
)


def upgrade(protocol: str = "websocket", *fields: str, method: str = "GET") -> bytes:
    head = [f"{method} /chat HTTP/1.1", "Host: shop", "Connection: Upgrade", f"Upgrade: {protocol}", *fields]
    return http("\n".join(head))


WEBSOCKET = upgrade()
SWITCHING = http("HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Accept: x")
OPEN = (send(WEBSOCKET), requested(), write(SWITCHING), sees(b"101"))
CONNECT = http("CONNECT shop:80 HTTP/1.1\nHost: shop:80")
OTHER = {"upgrade_configs": [{"upgrade_type": "other"}]}
TUNNEL = (
    {
        "match": {"connect_matcher": {}},
        "route": {
            "cluster": SHOP,
            "timeout": "0s",
            "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}],
        },
    },
)

CASES = (
    *(
        case(
            f"a WebSocket is a tunnel, {place}",
            send(upgrade()),
            requested(),
            write(SWITCHING),
            sees(b"101"),
            send(b"ping"),
            receives(b"ping"),
            write(b"pong"),
            sees(b"pong"),
            setup=Setup(at=place),
        )
        for place in ("outbound", INBOUND, GATEWAY)
    ),
    case("a server ends a WebSocket", *OPEN, write(b"bye"), server_closes(), closed()),
    case("a client ends a WebSocket", *OPEN, send(b"bye"), receives(b"bye"), hang_up(), abandoned()),
    case("a client ends its half of a WebSocket", *OPEN, send(b"bye"), receives(b"bye"), end_sending(), abandoned()),
    case(
        "bytes behind a request for an upgrade",
        send(WEBSOCKET + b"early"),
        requested(),
        write(SWITCHING),
        receives(b"early"),
    ),
    case(
        "bytes behind the agreement to an upgrade",
        send(WEBSOCKET),
        requested(),
        write(SWITCHING + b"early"),
        sees(b"early"),
    ),
    case(
        "a WebSocket has no route timeout",
        *OPEN,
        pause(0.5),
        send(b"ping"),
        receives(b"ping"),
        setup=Setup(route={"timeout": "0.2s"}),
    ),
    case("a silent WebSocket", *OPEN, closed(), setup=Setup(hcm={"stream_idle_timeout": "0.2s"})),
    case(
        "a server that leaves a WebSocket unanswered",
        send(WEBSOCKET),
        requested(),
        server_closes(),
        answered(),
    ),
    case("an upgrade that nobody allows", send(upgrade("other")), answered(), closed()),
    case("an upgrade to HTTP/2 is not heard", send(upgrade("h2c")), requested(), respond(), answered()),
    case(
        "an upgrade that the listener allows",
        send(upgrade("other")),
        requested(),
        write(SWITCHING.replace(b"websocket", b"other")),
        sees(b"101"),
        setup=Setup(hcm=OTHER),
    ),
    case(
        "an upgrade that the route allows",
        send(upgrade("other")),
        requested(),
        write(SWITCHING.replace(b"websocket", b"other")),
        sees(b"101"),
        setup=Setup(route=OTHER),
    ),
    case(
        "an upgrade that the route refuses",
        send(WEBSOCKET),
        answered(),
        closed(),
        setup=Setup(route={"upgrade_configs": [{"upgrade_type": "websocket", "enabled": False}]}),
    ),
    case("a server that answers an upgrade with 200", send(WEBSOCKET), requested(), respond(), answered(), closed()),
    case("an upgrade's type in another case", send(upgrade("WebSocket")), requested(), write(SWITCHING), sees(b"101")),
    case(
        "an upgrade that the server refuses",
        send(WEBSOCKET),
        requested(),
        respond(400, body="no"),
        answered(),
        closed(),
    ),
    case(
        "an upgrade that the server refuses without a body",
        send(WEBSOCKET),
        requested(),
        respond(401, "WWW-Authenticate: Basic", body=""),
        answered(),
        closed(),
    ),
    case(
        "Upgrade without Connection",
        send(WEBSOCKET.replace(b"Connection: Upgrade\r\n", b"")),
        requested(),
        respond(),
        answered(),
    ),
    case(
        "a 101 that nobody asked for",
        send(http("GET / HTTP/1.1\nHost: shop")),
        requested(),
        write(SWITCHING),
        answered(),
    ),
    case(
        "CONNECT is a tunnel",
        send(CONNECT),
        sees(b"200"),
        send(b"GET / HTTP/1.1\r\n\r\n"),
        requested(),
        write(b"pong"),
        sees(b"pong"),
        setup=Setup(routes=TUNNEL),
    ),
    case("CONNECT to nobody", send(CONNECT), answered(), setup=Setup(routes=TUNNEL, refusing=("shop-1",))),
)
