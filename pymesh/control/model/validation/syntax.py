"""Syntax that several kinds share: names, hosts, ports, durations, addresses, labels, regexes, visibility.

Each check notes its violation at the scope and returns nothing. Rules follow Istio's pkg/config/validation and
Kubernetes' apimachinery validation.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping

import re2

from pymesh.control.model.messages import Percent, StringMatch
from pymesh.control.model.scope import Scope
from pymesh.protojson import parse_go_duration

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_HOST_LABEL = re.compile(r"[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?")
_WILDCARD_LABEL = re.compile(r"\*|(\*|\*-)?[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?")
_CLUSTER_SNI = re.compile(r"outbound_\.([0-9]{1,5})_\.[-a-zA-Z0-9]*_\.(.+)")
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_TOKEN = re.compile(r"[-!#$%&'*+.^_`|~A-Za-z0-9]+")  # RFC 9110 5.6.2
_PLAIN_HEADER_NAME = re.compile(r"[-_A-Za-z0-9]+")
_PSEUDO_HEADERS = (":method", ":scheme", ":authority", ":path", ":status")
_LARGEST_PORT = 65535
_MILLISECOND = 0.001
_LONGEST_DURATION = 315_576_000_000.0  # proto3: 10,000 years
_LONGEST_REGEX = 1024  # Istio
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_MANY_GROUPS = 1000
_ANYTHING = "*"  # no regex, but so Istio takes it where presence can be matched

UNIX_PREFIX = "unix://"
PROTOCOLS = ("HTTP", "HTTPS", "HTTP2", "GRPC", "GRPC-WEB", "TCP", "TLS", "MONGO", "MYSQL", "REDIS", "UDP")
HTTP_PROTOCOLS = ("HTTP", "HTTP2", "GRPC", "GRPC-WEB")
TLS_PROTOCOLS = ("HTTPS", "TLS")
TCP_PROTOCOLS = (*TLS_PROTOCOLS, "TCP", "MONGO", "MYSQL", "REDIS")


def is_dns_label(text: str) -> bool:
    return len(text) <= 63 and _DNS_LABEL.fullmatch(text) is not None


def is_dns_subdomain(text: str) -> bool:
    return len(text) <= 253 and all(map(is_dns_label, text.split(".")))


def is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def check_dns_label(text: str, at: Scope) -> None:
    at.require(
        is_dns_label(text),
        f"must be a DNS label (a-z, 0-9 and '-', at most 63 characters), not {text!r}",
    )


def check_subset_name(text: str, at: Scope) -> None:
    at.require(
        len(text) <= 63 and _HOST_LABEL.fullmatch(text),
        f"must be a name of letters, digits and '-', at most 63, not {text!r}",
    )


def check_host(host: str, at: Scope) -> None:
    """A DNS name, short or fully qualified; a leading `*` stands for one or more labels."""
    _check_host(host, at, first_label=_WILDCARD_LABEL)


def check_server_name(host: str, at: Scope) -> None:
    """A host, or a cluster as peers of other networks call it: `outbound_.PORT_.SUBSET_.HOST`."""
    match = _CLUSTER_SNI.fullmatch(host)
    if match is None:
        check_host(host, at)
    else:
        check_port(int(match[1]), at)
        check_exact_host(match[2], at)


def check_exact_host(host: str, at: Scope) -> None:
    _check_host(host, at, first_label=_HOST_LABEL)


def _check_host(host: str, at: Scope, first_label: re.Pattern[str]) -> None:
    if not host:
        at.fail("is required")
        return
    first, *others = host.removesuffix(".").split(".")
    is_valid = first_label.fullmatch(first) and all(map(_HOST_LABEL.fullmatch, others))
    is_short = len(host) <= 255 and all(len(label) <= 63 for label in (first, *others))
    at.require(is_valid and is_short, f"must be a DNS name, not {host!r}")
    at.require(not is_valid or not others or not others[-1].isdigit(), f"{host!r} has a numeric top-level domain")


def check_address(address: str, at: Scope) -> None:
    """An IP address or a DNS name."""
    if not is_ip_address(address):
        check_exact_host(address, at)


def check_ip_address(address: str, at: Scope) -> None:
    at.require(is_ip_address(address), f"must be an IP address, not {address!r}")


def check_ip_network(text: str, at: Scope) -> None:
    """An IP address or a CIDR block."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        at.fail(f"must be an IP address or a CIDR block, not {text!r}")


def check_unix_address(address: str, at: Scope) -> None:
    """`unix:///PATH`, or `unix://@NAME` of Linux' abstract namespace."""
    path = address.removeprefix(UNIX_PREFIX)
    is_file = path.startswith("/") and not path.endswith("/")
    at.require(path.startswith("@") or is_file, f"must be unix:///PATH or unix://@NAME, not {address!r}")


def check_port_name(name: str, at: Scope) -> None:
    at.require(is_dns_label(name.lower()), f"{name!r} is not a port name (letters, digits and '-')")


def check_data_key(key: str, at: Scope) -> None:
    """Of ConfigMaps and Secrets."""
    at.require(_DATA_KEY.fullmatch(key), "must be a name of letters, digits, '-', '_' and '.'")


def check_port(port: int, at: Scope) -> None:
    at.require(1 <= port <= _LARGEST_PORT, f"must be a port, 1..{_LARGEST_PORT}, not {port}")


def check_optional_port(port: int, at: Scope) -> None:
    if port:
        check_port(port, at)


def check_protocol(protocol: str, at: Scope) -> None:
    at.require(protocol.upper() in PROTOCOLS, f"must be one of {', '.join(PROTOCOLS)}, not {protocol!r}")


def check_range(number: float, low: float, high: float, at: Scope) -> None:
    at.require(low <= number <= high, f"must be {low}..{high}, not {number:.12g}")


def check_not_negative(number: int, at: Scope) -> None:
    at.require(0 <= number < 2**31, f"must be 0..{2**31 - 1}, not {number}")


def check_duration(text: str | None, at: Scope, allow_zero: bool = False, longest: float = _LONGEST_DURATION) -> None:
    """At least 1ms and whole milliseconds, where it is set; `allow_zero` where 0s means no limit."""
    if not text:
        return
    try:
        seconds = parse_go_duration(text)
    except ValueError:
        at.fail(f"must be a duration such as 1h, 30s or 250ms, not {text!r}")
        return
    if seconds == 0 and allow_zero:
        return
    milliseconds = seconds / _MILLISECOND
    at.require(
        milliseconds >= 1 and abs(milliseconds - round(milliseconds)) < 1e-6, "must be whole milliseconds, >= 1ms"
    )
    at.require(seconds <= longest, f"must not be longer than {longest:.0f}s")


def check_percent(percent: Percent | None, at: Scope) -> None:
    if percent is not None:
        is_valid = percent.value == 0 or 0.0001 <= percent.value <= 100
        at["value"].require(is_valid, f"must be 0 or 0.0001..100, not {percent.value:.12g}")


def check_regex(pattern: str, at: Scope) -> int:
    """The number of its groups; of one that is wrong, more than any text asks for."""
    at.require(len(pattern) <= _LONGEST_REGEX, f"must not be longer than {_LONGEST_REGEX} characters")
    options = re2.Options()
    options.log_errors = False
    try:
        return int(re2.compile(pattern, options).groups)  # type: ignore[no-untyped-call]
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        at.fail(f"must be an RE2 regex: {reason}")
        return _MANY_GROUPS


def check_string_match(
    match: StringMatch | None, at: Scope, allow_presence: bool = False, allow_empty_prefix: bool = False
) -> None:
    """At most one of exact, prefix and regex; none of them, or the regex `*`, only where presence can be matched."""
    if match is None:
        return
    alternatives = {"exact": match.exact, "prefix": match.prefix, "regex": match.regex}
    chosen = [name for name, value in alternatives.items() if value is not None]
    at.require(len(chosen) <= 1, f"must have only one of exact, prefix and regex, not {' and '.join(chosen)}")
    at.require(chosen or allow_presence, "must have one of exact, prefix and regex")
    at["prefix"].require(match.prefix != "" or allow_empty_prefix, "must not be empty")
    at["regex"].require(match.regex != "", "must not be empty")
    if match.regex and not (allow_presence and match.regex == _ANYTHING):
        check_regex(match.regex, at["regex"])


def check_header_name(name: str, at: Scope) -> None:
    at.require(_TOKEN.fullmatch(name), f"{name!r} is not a header name")


def check_plain_header_name(name: str, at: Scope) -> None:
    """Of a header that is made up here, of which Istio asks more than HTTP does."""
    at.require(_PLAIN_HEADER_NAME.fullmatch(name), f"{name!r} is not a name of letters, digits, '-' and '_'")


def check_matched_header_name(name: str, at: Scope) -> None:
    """What routing looks at may be one of HTTP/2's pseudo headers, too."""
    if name not in _PSEUDO_HEADERS:
        check_header_name(name, at)


def check_labels(labels: Mapping[str, str], at: Scope) -> None:
    """Kubernetes label keys (`[prefix/]name`) and values."""
    for key, value in labels.items():
        check_qualified_name(key, at[key])
        is_valid = not value or (len(value) <= 63 and _LABEL_NAME.fullmatch(value))
        at[key].require(is_valid, f"{value!r} is not a label value (letters, digits, '-', '_', '.', at most 63)")


def check_qualified_name(key: str, at: Scope) -> None:
    prefix, slash, name = key.rpartition("/")
    is_valid = len(name) <= 63 and _LABEL_NAME.fullmatch(name) and (not slash or is_dns_subdomain(prefix))
    at.require(is_valid, f"{key!r} is not a qualified name ([prefix/]name)")


def check_unique(names: Iterable[str | int], at: Scope, what: str) -> None:
    seen: set[str | int] = set()
    for name in names:
        at.require(name not in seen, f"{what} {name!r} occurs twice")
        seen.add(name)


def check_export_to(export_to: tuple[str, ...], namespace: str, at: Scope, allow_none: bool = False) -> None:
    """`.`, `*`, namespaces, and where `allow_none`, `~`."""
    for index, visibility in enumerate(export_to):
        is_valid = visibility in (".", "*") or (allow_none and visibility == "~") or is_dns_label(visibility)
        at[index].require(is_valid, f"must be '.', '*' or a namespace, not {visibility!r}")
    check_unique((namespace if visibility == "." else visibility for visibility in export_to), at, "namespace")
    for alone in ("*", "~"):
        at.require(alone not in export_to or len(set(export_to)) == 1, f"{alone!r} must stand alone")
