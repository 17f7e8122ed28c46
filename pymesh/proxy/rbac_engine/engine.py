"""Policies, compiled: which of them a call matches, and whether it may go on. Pure."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, NamedTuple, Protocol

from pymesh.proxy.matchers.compiled import BytesPredicate, Request
from pymesh.proxy.matchers.header_matcher import compile_header_matcher
from pymesh.proxy.matchers.metadata_matcher import compile_metadata_matcher
from pymesh.proxy.matchers.regex import compile_full_match
from pymesh.proxy.matchers.string_matcher import StringMatcher, compile_string_matcher
from pymesh.proxy.rbac_engine.path_template import template_regex
from pymesh.proxy.rbac_engine.rule import (
    DESTINATION,
    DIRECT,
    AllOf,
    Always,
    AnyOf,
    Authenticated,
    DestinationPort,
    Header,
    Ip,
    Metadata,
    Not,
    PathTemplate,
    Policy,
    Rbac,
    RequestedServerName,
    Rule,
    UrlPath,
)


class Peer(Protocol):
    """Who is at the other end, by its verified certificate; tls.PeerIdentity is one."""

    @property
    def uris(self) -> tuple[str, ...]: ...
    @property
    def dns_names(self) -> tuple[str, ...]: ...
    @property
    def subject(self) -> str: ...


class Call(Request, Protocol):
    """A request, or a TCP connection, which has no headers and an empty path.

    `remote_address` is the client's, as far as it is known; `direct_remote_address` that of the connection's other end.
    `dynamic_metadata` is what filters have found out, by their names.
    """

    @property
    def direct_remote_address(self) -> str: ...
    @property
    def peer(self) -> Peer | None: ...
    @property
    def requested_server_name(self) -> str: ...
    @property
    def dynamic_metadata(self) -> Mapping[str, Any]: ...


Predicate = Callable[[Call], bool]


class Verdict(NamedTuple):
    """`policy` is the one that the call matched; empty for none."""

    is_allowed: bool
    policy: str


class RbacEngine:
    """What is matched by one policy is allowed or denied, as the action says; what by none, the other way round.

    The action LOG denies nothing.
    """

    __slots__ = ("_action", "_policies")

    def __init__(self, config: Rbac) -> None:
        self._action = config.action
        self._policies = tuple((name, _compile_policy(policy)) for name, policy in config.policies)

    def judge(self, call: Call) -> Verdict:
        policy = next((name for name, matches in self._policies if matches(call)), "")
        is_allowed = self._action == "LOG" or bool(policy) == (self._action == "ALLOW")
        return Verdict(is_allowed, policy)


def response_details(policy: str) -> str:
    """Envoy's response code details of what was denied; empty for no policy."""
    return f"rbac_access_denied_matched_policy[{'_'.join(policy.split()) or 'none'}]"


def _compile_policy(policy: Policy) -> Predicate:
    permissions = _any_of(tuple(map(_compile, policy.permissions)))
    principals = _any_of(tuple(map(_compile, policy.principals)))
    return lambda call: permissions(call) and principals(call)


def _compile(rule: Rule) -> Predicate:
    compiled: Predicate = _COMPILERS[type(rule)](rule)
    return compiled


def _all_of(parts: tuple[Predicate, ...]) -> Predicate:
    if len(parts) == 1:
        return parts[0]
    return lambda call: all(part(call) for part in parts)


def _any_of(parts: tuple[Predicate, ...]) -> Predicate:
    if len(parts) == 1:
        return parts[0]
    return lambda call: any(part(call) for part in parts)


def _not(rule: Not) -> Predicate:
    inner = _compile(rule.rule)
    return lambda call: not inner(call)


def _url_path(matches: BytesPredicate) -> Predicate:
    return lambda call: matches(call.path.partition(b"?")[0].partition(b"#")[0])


def _ip(rule: Ip) -> Predicate:
    network = ip_network(rule.network)
    if rule.which == DIRECT:
        return lambda call: _address(call.direct_remote_address) in network
    if rule.which == DESTINATION:
        return lambda call: _address(call.local_address) in network
    return lambda call: _address(call.remote_address) in network


@lru_cache(maxsize=4096)
def _address(text: str) -> IPv4Address | IPv6Address:
    """Of `host:port` or `[host]:port`; what came over an IPv6 socket from IPv4 is IPv4."""
    host = text.rpartition(":")[0] if text.count(":") == 1 or text.startswith("[") else text
    address = ip_address(host.strip("[]").partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def _destination_port(rule: DestinationPort) -> Predicate:
    start, end = rule.start, rule.end
    return lambda call: start <= int(call.local_address.rpartition(":")[2] or 0) < end


def _server_name(rule: RequestedServerName) -> Predicate:
    matches = compile_string_matcher(rule.matcher)
    return lambda call: matches(call.requested_server_name.encode())


def _authenticated(rule: Authenticated) -> Predicate:
    if rule.name is None:
        return lambda call: call.peer is not None
    matches = _compile_text(rule.name)

    def predicate(call: Call) -> bool:
        peer = call.peer
        return peer is not None and any(map(matches, peer.uris or peer.dns_names or (peer.subject,)))

    return predicate


def _compile_text(matcher: StringMatcher) -> Callable[[str], bool]:
    """The same few peers call again and again."""
    matches = compile_string_matcher(matcher)
    return lru_cache(maxsize=256)(lambda text: matches(text.encode()))


def _metadata(rule: Metadata) -> Predicate:
    matches = compile_metadata_matcher(rule.matcher)
    return lambda call: matches(call.dynamic_metadata)


_COMPILERS: dict[type, Callable[[Any], Predicate]] = {
    AllOf: lambda rule: _all_of(tuple(map(_compile, rule.rules))),
    AnyOf: lambda rule: _any_of(tuple(map(_compile, rule.rules))),
    Not: _not,
    Always: lambda _: lambda call: True,
    Header: lambda rule: compile_header_matcher(rule.matcher),
    UrlPath: lambda rule: _url_path(compile_string_matcher(rule.matcher)),
    PathTemplate: lambda rule: _url_path(compile_full_match(template_regex(rule.template))),
    Ip: _ip,
    DestinationPort: _destination_port,
    RequestedServerName: _server_name,
    Authenticated: _authenticated,
    Metadata: _metadata,
}
