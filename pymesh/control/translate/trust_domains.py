"""The trust domains whose identities are the mesh's: its own, and its aliases.

Istio: pilot/pkg/security/trustdomain, TrustDomainsForValidation and ExpandWithTrustDomains in pkg/spiffe.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from pymesh.control.model.mesh_config import MeshConfig
from pymesh.spiffe import parse_spiffe


def trust_domains(mesh: MeshConfig) -> tuple[str, ...]:
    """The mesh's own comes first."""
    return tuple(dict.fromkeys((mesh.trust_domain, *mesh.trust_domain_aliases)))


def in_all_trust_domains(identities: Iterable[str], mesh: MeshConfig) -> Iterator[str]:
    """Each of these SPIFFE URIs of the mesh, in each of its trust domains."""
    domains = trust_domains(mesh)
    for identity in identities:
        spiffe_id = parse_spiffe(identity)
        yield from (str(spiffe_id._replace(trust_domain=domain)) for domain in domains)


def build_trust_domain_matchers(mesh: MeshConfig) -> list[dict[str, Any]]:
    """Matchers of a client certificate's subjectAltNames: any workload of the mesh."""
    return [{"san_type": "URI", "matcher": {"prefix": f"spiffe://{domain}/"}} for domain in trust_domains(mesh)]
