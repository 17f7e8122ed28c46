"""What a service port speaks, as its declaration says. Pure.

https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/
"""

from enum import StrEnum


class Protocol(StrEnum):
    """AUTO: nobody declared it. Whoever reaches the port by an HTTP request speaks HTTP; by a TCP listener, TCP."""

    HTTP = "HTTP"
    HTTP2 = "HTTP2"
    GRPC = "GRPC"
    GRPC_WEB = "GRPC-WEB"
    HTTPS = "HTTPS"
    TLS = "TLS"
    TCP = "TCP"
    MONGO = "Mongo"
    MYSQL = "MySQL"
    REDIS = "Redis"
    UDP = "UDP"
    AUTO = "auto"

    @property
    def is_http(self) -> bool:
        return self in _HTTP

    @property
    def is_http2(self) -> bool:
        return self in _HTTP2

    @property
    def is_grpc(self) -> bool:
        return self in (Protocol.GRPC, Protocol.GRPC_WEB)

    @property
    def is_auto(self) -> bool:
        return self is Protocol.AUTO

    @property
    def is_tls(self) -> bool:
        return self in (Protocol.HTTPS, Protocol.TLS)

    @property
    def speaks_server_first(self) -> bool:
        """Its server says the first word, so nobody can wait to hear what the client speaks."""
        return self in (Protocol.MONGO, Protocol.MYSQL)


_HTTP = frozenset({Protocol.HTTP, Protocol.HTTP2, Protocol.GRPC, Protocol.GRPC_WEB, Protocol.AUTO})
_HTTP2 = frozenset({Protocol.HTTP2, Protocol.GRPC, Protocol.GRPC_WEB})
_BY_WORD = {protocol.value.lower(): protocol for protocol in Protocol} | {
    "kubernetes.io/h2c": Protocol.HTTP2,
    "kubernetes.io/ws": Protocol.HTTP,
    "kubernetes.io/wss": Protocol.HTTPS,
}

# The server speaks first, or is known by its port: Istio does not try to detect HTTP there (SMTP, MySQL, MongoDB).
_TCP_PORTS = frozenset({25, 3306, 27017})


def parse_protocol(word: str) -> Protocol | None:
    """A protocol by Istio's name, in any case; None for what is not one."""
    return _BY_WORD.get(word.lower())


def port_protocol(number: int, name: str, declared: str, app_protocols: frozenset[str]) -> Protocol:
    """`declared` (appProtocol, or a ServiceEntry's protocol), else the prefix of the port's name (`http-web`).

    Else what the workloads say that registered themselves, all of them the same, else AUTO.
    """
    hinted = parse_protocol(declared) or _by_name(name)
    if hinted is not None:
        return hinted
    if number in _TCP_PORTS:
        return Protocol.TCP
    said = parse_protocol(next(iter(app_protocols))) if len(app_protocols) == 1 else None
    return said or Protocol.AUTO


def _by_name(name: str) -> Protocol | None:
    if name.lower().startswith("grpc-web"):
        return Protocol.GRPC_WEB
    return parse_protocol(name.partition("-")[0]) if name else None
