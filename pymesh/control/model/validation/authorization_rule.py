"""Rules of the `from` and `to` of an AuthorizationPolicy."""

import re
from collections.abc import Callable, Sequence

from pymesh.control.model.authorization_policy import From, Operation, Rule, Source, To
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax

_Check = Callable[[str, Scope], None]

_LARGEST_LIST = 512
_LONGEST_ACCOUNT = 320
_MANY_SEGMENTS = "{**}"
_ONE_SEGMENT = "{*}"
# RFC 3986 appendix A: what a segment of a path is made of.
_LITERAL = re.compile(r"([A-Za-z0-9._~!$&'()*+,;:@=-]|%[0-9A-Fa-f]{2})*")


def check_from(sources: Sequence[From], at: Scope) -> None:
    at.require(len(sources) <= _LARGEST_LIST, f"must be {_LARGEST_LIST} at most")
    for index, one in enumerate(sources):
        here = at[index]["source"]
        if one.source is None:
            here.fail("is required")
        else:
            here.require(one.source != Source(), "must have at least one field")
            _check_source(one.source, here)


def check_to(operations: Sequence[To], at: Scope) -> None:
    for index, one in enumerate(operations):
        here = at[index]["operation"]
        if one.operation is None:
            here.fail("is required")
        else:
            here.require(one.operation != Operation(), "must have at least one field")
            _check_operation(one.operation, here)


def is_for_tcp(rule: Rule) -> bool:
    """Whether a source says something that is known of a TCP connection."""
    names = ("principals", "namespaces", "ip_blocks", "remote_ip_blocks", "service_accounts", "trust_domains")
    sources = [one.source for one in rule.from_ if one.source is not None]
    return any(getattr(source, name) for source in sources for both in names for name in (both, f"not_{both}"))


def has_port(rule: Rule) -> bool:
    operations = [one.operation for one in rule.to if one.operation is not None]
    return any(operation.ports or operation.not_ports for operation in operations)


def check_service_account(text: str, at: Scope) -> None:
    """`ACCOUNT` or `NAMESPACE/ACCOUNT`."""
    at.require("*" not in text, "wildcards are not supported in service accounts")
    parts = text.split("/")
    at.require(all(parts) and len(parts) <= 2, f"must be ACCOUNT or NAMESPACE/ACCOUNT, not {text!r}")
    at.require(len(text) <= _LONGEST_ACCOUNT, f"must not be longer than {_LONGEST_ACCOUNT} characters")


def check_port_text(text: str, at: Scope) -> None:
    is_port = text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 65535
    at.require(is_port, f"must be a port, 0..65535, not {text!r}")


def check_path(path: str, at: Scope) -> None:
    """Istio: CheckValidPathTemplate. `{*}` and `{**}` stand for whole segments, the latter once and last."""
    has_template = _ONE_SEGMENT in path or _MANY_SEGMENTS in path
    is_ended = False
    for segment in path.strip("/").split("/"):
        if segment in (_ONE_SEGMENT, _MANY_SEGMENTS):
            at.require(not is_ended, "{**} must be the last of the templates")
            is_ended = is_ended or segment == _MANY_SEGMENTS
        elif "{" in segment or "}" in segment:
            at.fail(f"{segment!r} must be {{*}} or {{**}}, or have no braces")
        else:
            is_literal = not has_template or _LITERAL.fullmatch(segment)
            at.require(is_literal, f"{segment!r} must not have such characters beside a template")
            at.require(not has_template or "*" not in segment, f"{segment!r}: '*' cannot stand beside a template")


def check_values(values: Sequence[str], at: Scope, check: _Check | None = None) -> None:
    """None of them may be empty; `check` looks at each."""
    for index, value in enumerate(values):
        if not value:
            at[index].fail("must not be empty")
        elif check is not None:
            check(value, at[index])


def _check_source(source: Source, at: Scope) -> None:
    has_names = source.principals or source.not_principals or source.namespaces or source.not_namespaces
    for field, values in (
        ("serviceAccounts", source.service_accounts),
        ("notServiceAccounts", source.not_service_accounts),
    ):
        at[field].require(not (values and has_names), "cannot stand beside principals and namespaces")
        check_values(values, at[field], check_service_account)
    for field, blocks in (
        ("ipBlocks", source.ip_blocks),
        ("notIpBlocks", source.not_ip_blocks),
        ("remoteIpBlocks", source.remote_ip_blocks),
        ("notRemoteIpBlocks", source.not_remote_ip_blocks),
    ):
        check_values(blocks, at[field], syntax.check_ip_network)
    for field, texts in (
        ("principals", source.principals),
        ("notPrincipals", source.not_principals),
        ("requestPrincipals", source.request_principals),
        ("notRequestPrincipals", source.not_request_principals),
        ("namespaces", source.namespaces),
        ("notNamespaces", source.not_namespaces),
        ("trustDomains", source.trust_domains),
        ("notTrustDomains", source.not_trust_domains),
    ):
        check_values(texts, at[field])


def _check_operation(operation: Operation, at: Scope) -> None:
    for field, values, check in (
        ("hosts", operation.hosts, None),
        ("notHosts", operation.not_hosts, None),
        ("ports", operation.ports, check_port_text),
        ("notPorts", operation.not_ports, check_port_text),
        ("methods", operation.methods, None),
        ("notMethods", operation.not_methods, None),
        ("paths", operation.paths, check_path),
        ("notPaths", operation.not_paths, check_path),
    ):
        check_values(values, at[field], check)
