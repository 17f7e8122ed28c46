"""Call: one request, or one TCP connection, as its client makes it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

from pymesh.errors import UsageError
from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.spiffe import SpiffeId, parse_spiffe

TCP = "TCP"
_PORTS = {"http": 80, "https": 443}
_SCHEMES = (*_PORTS, "tcp")

# The names of the flags, which are also the fields of `--requests` and the arguments of the pytest fixture.
FIELDS = (
    "request",
    "header",
    "from",
    "gateway",
    "to",
    "source-label",
    "from-principal",
    "tls",
    "sni",
    "alpn",
    "port",
    "random",
)


@dataclass(frozen=True, slots=True)
class Call:
    """`host` and `port` are where the connection goes, `authority` is what the request says. `target` is the path with
    its query. Of `source`, `gateway` and `to` (`namespace/name`) at most one is set: who sends it, or where it arrives.

    `is_tls`: the client itself speaks TLS; with a `principal` (a SPIFFE URI) it shows a certificate: mTLS. `random` in
    [0, 1) stands for every number that a proxy would draw. With 0 whatever may happen does: each fault and mirror that
    has a percentage above 0, and of weighted clusters the first.
    """

    host: str
    port: int
    method: str = "GET"
    scheme: str = "http"
    target: str = "/"
    authority: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    source: str = ""
    gateway: str = ""
    to: str = ""
    source_labels: Mapping[str, str] = field(default_factory=dict)
    principal: str = ""
    is_tls: bool = False
    sni: str = ""
    alpn: tuple[str, ...] = ()
    random: float = 0.0
    has_own_port: bool = False  # the connection's port was given beside the URL

    @property
    def is_http(self) -> bool:
        return self.method != TCP

    @property
    def is_mtls(self) -> bool:
        return self.is_tls and bool(self.principal)

    @property
    def address(self) -> str:
        """The IP to which the client connects, if the URL says it."""
        return self.host if is_address(self.host) else ""

    def header_map(self) -> HeaderMap:
        return HeaderMap((name.lower().encode(), value.encode()) for name, value in self.headers)


def parse_call(fields: Mapping[str, Any]) -> Call:
    """Of flags, a line of JSON or keyword arguments; FIELDS are their names, with dashes or underscores.

    Raises UsageError.
    """
    given = {name.strip("_").replace("_", "-"): value for name, value in fields.items() if value is not None}
    for name in given:
        if name not in FIELDS:
            raise UsageError(f"{name!r} is not a field of a request; the fields are {', '.join(FIELDS)}")
    method, url = _split_request(_text(given, "request"))
    scheme = url.scheme
    headers = _pairs(given.get("header"), "header", ":")
    hosts = [value for name, value in headers if name.lower() in ("host", ":authority")]
    is_tls = _boolean(given, "tls") or scheme == "https"
    sni = _text(given, "sni")
    principal = _principal(_text(given, "from-principal"))
    host = url.hostname or ""
    authority = hosts[0] if hosts else url.netloc.rpartition("@")[2]
    return Call(
        host=host,
        port=_port(given, url),
        method=method,
        scheme=scheme,
        target="" if method == "CONNECT" else (url.path or "/") + (f"?{url.query}" if url.query else ""),
        authority=authority,
        headers=tuple((name, value) for name, value in headers if name.lower() not in ("host", ":authority")),
        **_places(given),
        source_labels=dict(_pairs(given.get("source-label"), "source-label", "=")),
        principal=principal,
        is_tls=is_tls,
        # A sidecar's mTLS has a server name of its own kind; who calls a gateway with a certificate says the host.
        sni=sni or _default_sni(authority if method != TCP else host, is_tls and (not principal or "gateway" in given)),
        alpn=_alpn(given, method, is_tls, bool(principal)),
        random=_random(given),
        has_own_port="port" in given,
    )


def is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _split_request(text: str) -> tuple[str, SplitResult]:
    method, _, target = text.strip().partition(" ")
    try:
        url = urlsplit(target.strip())
        _ = url.port
    except ValueError as error:
        raise UsageError(f"{target!r} is not a URL: {error}") from error
    if not target or url.scheme not in _SCHEMES or not url.hostname:
        raise UsageError(
            f'{text!r} is not a request such as "GET http://reviews:9080/path" or "TCP tcp://10.0.0.1:3306"'
        )
    if (method == TCP) != (url.scheme == "tcp"):
        raise UsageError(f"{text!r}: TCP goes with tcp://, and a method with http:// or https://")
    if method != TCP and not (method.isascii() and method.replace("-", "").isalpha()):
        raise UsageError(f"{method!r} is not a method")
    if any(character.isspace() for character in target.strip()):
        raise UsageError(f"{target!r} is not a URL: it has a space")
    return method, url


def _port(given: Mapping[str, Any], url: SplitResult) -> int:
    port = given.get("port", url.port or _PORTS.get(url.scheme))
    if port is None:
        raise UsageError("a TCP connection needs a port: tcp://10.0.0.1:3306")
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        raise UsageError(f"port {port!r} is not a number from 1 to 65535")
    return port


def _places(given: Mapping[str, Any]) -> dict[str, str]:
    places = {name: _text(given, name) for name in ("from", "gateway", "to")}
    if sum(map(bool, places.values())) > 1:
        raise UsageError("only one of from, gateway and to can be given")
    for name, place in places.items():
        if place and (place.count("/") != 1 or not all(place.split("/"))):
            raise UsageError(f"{name} {place!r} is not NAMESPACE/NAME")
    return {"source": places["from"], "gateway": places["gateway"], "to": places["to"]}


def _default_sni(authority: str, is_needed: bool) -> str:
    """A client names the host that it wants, but never an IP (RFC 6066 3)."""
    host = urlsplit(f"//{authority}").hostname or ""
    return host if is_needed and not is_address(host) else ""


def _alpn(given: Mapping[str, Any], method: str, is_tls: bool, has_principal: bool) -> tuple[str, ...]:
    said = given.get("alpn")
    if said is not None:
        if not is_tls:
            raise UsageError("alpn goes with tls")
        protocols = said.split(",") if isinstance(said, str) else list(said)
        return tuple(str(protocol).strip() for protocol in protocols)
    if not is_tls:
        return ()
    return ("istio",) if has_principal else () if method == TCP else ("http/1.1",)


def _principal(text: str) -> str:
    """`spiffe://cluster.local/ns/default/sa/web`, with or without the scheme, or Istio's short `ns/default/sa/web`."""
    if not text:
        return ""
    uri = text if text.startswith("spiffe://") else f"spiffe://{text}"
    try:
        return str(parse_spiffe(uri))
    except ValueError:
        pass
    parts = text.split("/")
    if len(parts) == 4 and parts[0] == "ns" and parts[2] == "sa":
        return str(SpiffeId(parts[1], parts[3]))
    raise UsageError(f"from-principal {text!r} is not <trust domain>/ns/<namespace>/sa/<service account>")


def _random(given: Mapping[str, Any]) -> float:
    value = given.get("random", 0.0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise UsageError(f"random {value!r} is not a number from 0 to below 1")
    return float(value)


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name, "")
    if not isinstance(value, str):
        raise UsageError(f"{name} {value!r} is not a text")
    if name == "request" and not value:
        raise UsageError('a request is required, such as "GET http://reviews:9080/path"')
    return value


def _boolean(given: Mapping[str, Any], name: str) -> bool:
    value = given.get(name, False)
    if not isinstance(value, bool):
        raise UsageError(f"{name} {value!r} is not true or false")
    return value


def _pairs(value: Any, name: str, separator: str) -> list[tuple[str, str]]:
    """A map, a list of `name<separator>value`, or one of those."""
    if value is None:
        return []
    if isinstance(value, Mapping):
        return [(str(key), str(item)) for key, item in value.items()]
    items: Iterable[Any] = [value] if isinstance(value, str) else value if isinstance(value, list | tuple) else [None]
    return [_pair(item, name, separator) for item in items]


def _pair(item: Any, name: str, separator: str) -> tuple[str, str]:
    if not isinstance(item, str):
        raise UsageError(f"{name} must be texts such as K{separator}V")
    prefix = item[:1] if item.startswith(":") else ""  # :authority
    key, found, value = item.removeprefix(prefix).partition(separator)
    if not found or not key.strip():
        raise UsageError(f"{name} {item!r} is not K{separator}V")
    return prefix + key.strip(), value.strip()
