"""Rules of `namespace/dnsName` in Sidecars and Gateways. Istio: ValidateNamespaceSlashWildcardHostname."""

from collections.abc import Sequence

from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax

_EVERYTHING = "*"


def check_egress_hosts(hosts: Sequence[str], namespace: str, at: Scope) -> None:
    at.require(hosts, "must have at least one host")
    seen: dict[str, set[str]] = {}
    for index, host in enumerate(hosts):
        first, slash, name = host.partition("/")
        if not slash:
            at[index].fail(f"must be namespace/dnsName, not {host!r}")
            continue
        # `~ns/host` leaves out what another entry imports.
        is_excluded = first.startswith("~") and first != "~"
        scope = first.removeprefix("~") if is_excluded else first
        check_namespace_part(scope, at[index], ("*", ".", "~"))
        check_host_part(name, at[index])
        if not is_excluded:
            _warn_of_duplicate(seen.setdefault(namespace if scope == "." else scope, set()), name, at[index])
    if _EVERYTHING in seen.get(_EVERYTHING, ()) and len(seen) > 1:
        at.warn("*/* imports everything; the other hosts have no effect")


def check_namespace_part(namespace: str, at: Scope, words: tuple[str, ...]) -> None:
    is_valid = namespace in words or syntax.is_dns_label(namespace)
    at.require(is_valid, f"{namespace!r} is not {', '.join(map(repr, words))} or a namespace")


def check_host_part(host: str, at: Scope) -> None:
    """A fully qualified name, or one with `*.` in front, or `*`."""
    if host == _EVERYTHING:
        return
    at.require(not host or "." in host, f"must be a fully qualified name, not {host!r}")
    at.require("*" not in host or host.startswith("*."), f"{host!r}: a wildcard must be a whole label")
    syntax.check_host(host, at)


def _warn_of_duplicate(names: set[str], name: str, at: Scope) -> None:
    is_known = name in names or _EVERYTHING in names or (name == _EVERYTHING and bool(names))
    if is_known:
        at.warn("is imported already by another host of this list")
    names.add(name)
