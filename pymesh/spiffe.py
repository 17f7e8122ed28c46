"""SPIFFE identities: `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`."""

import re
from typing import NamedTuple

from pymesh.names import DEFAULT_DOMAIN

_ID = re.compile(r"spiffe://([^/]+)/ns/([^/]+)/sa/([^/]+)")


class SpiffeId(NamedTuple):
    """Who a workload is. `str()` is the URI that stands in its certificate's subjectAltName."""

    namespace: str
    service_account: str
    trust_domain: str = DEFAULT_DOMAIN

    def __str__(self) -> str:
        return f"spiffe://{self.trust_domain}/ns/{self.namespace}/sa/{self.service_account}"


def parse_spiffe(uri: str) -> SpiffeId:
    """Raises ValueError for anything that is not an Istio workload identity."""
    match = _ID.fullmatch(uri)
    if match is None:
        raise ValueError(f"{uri!r} is not spiffe://<trust domain>/ns/<namespace>/sa/<service account>")
    return SpiffeId(match[2], match[3], match[1])
