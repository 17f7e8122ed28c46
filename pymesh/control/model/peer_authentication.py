"""PeerAuthentication: which connections a workload's inbound listener takes.

https://istio.io/latest/docs/reference/config/security/peer_authentication/
"""

from typing import Literal

from pymesh.control.model.messages import Message, WorkloadSelector

MutualTLSMode = Literal["UNSET", "DISABLE", "PERMISSIVE", "STRICT"]


class MutualTLS(Message):
    """UNSET inherits: namespace, then mesh, then PERMISSIVE."""

    mode: MutualTLSMode = "UNSET"


class PeerAuthentication(Message):
    """In the root namespace without a selector it is the mesh's; elsewhere without a selector its namespace's."""

    selector: WorkloadSelector | None = None
    mtls: MutualTLS | None = None
    port_level_mtls: dict[int, MutualTLS] = {}
