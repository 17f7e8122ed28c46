"""Whether a certificate's subjectAltNames are those that were meant. Pure."""

import ipaddress
from collections.abc import Sequence

from pymesh.proxy.tls.certificates import SubjectAltNameMatcher
from pymesh.proxy.tls.peer_identity import PeerIdentity


def has_matching_name(identity: PeerIdentity, matchers: Sequence[SubjectAltNameMatcher]) -> bool:
    """Envoy: any name of the certificate that any matcher matches is enough."""
    return any(_matches(matcher, name) for matcher in matchers for name in _names(identity, matcher.san_type))


def matches_hostname(identity: PeerIdentity, hostname: str) -> bool:
    """The certificate is for this DNS name or IP address (RFC 9525 6.3; auto_sni_san_validation)."""
    try:
        address = ipaddress.ip_address(hostname)
    except ValueError:
        return any(_dns_name_matches(name, hostname) for name in identity.dns_names)
    return any(ipaddress.ip_address(name) == address for name in identity.ip_addresses)


def _names(identity: PeerIdentity, san_type: str) -> tuple[str, ...]:
    match san_type:
        case "URI":
            return identity.uris
        case "DNS":
            return identity.dns_names
        case "IP_ADDRESS":
            return identity.ip_addresses
        case _:
            return identity.emails


def _matches(matcher: SubjectAltNameMatcher, name: str) -> bool:
    match matcher.kind:
        case "exact" if matcher.san_type == "DNS":
            # Envoy: an exact DNS matcher also takes the wildcard names of the certificate.
            return _dns_name_matches(name, matcher.value)
        case "exact":
            return name == matcher.value
        case "prefix":
            return name.startswith(matcher.value)
        case "suffix":
            return name.endswith(matcher.value)
        case "contains":
            return matcher.value in name


def _dns_name_matches(pattern: str, hostname: str) -> bool:
    """RFC 9525 6.3: `*` stands for one whole left-most label and nothing else."""
    pattern, hostname = pattern.lower().rstrip("."), hostname.lower().rstrip(".")
    if not pattern.startswith("*."):
        return pattern == hostname
    label, _, rest = hostname.partition(".")
    return bool(label) and rest == pattern[2:]
