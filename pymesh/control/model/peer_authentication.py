"""PeerAuthentication: which connections a workload's inbound listener takes.

https://istio.io/latest/docs/reference/config/security/peer_authentication/
"""

from typing import Literal

from pymesh.control.model.messages import Message, WorkloadSelector

MutualTLSMode = Literal["UNSET", "DISABLE", "PERMISSIVE", "STRICT"]


class MutualTLS(Message):
    """UNSET inherits: namespace, then mesh, then PERMISSIVE."""

    mode: MutualTLSMode = "UNSET"
    """STRICT, PERMISSIVE, DISABLE, or UNSET to take that of the wider policy."""


class PeerAuthentication(Message):
    """In the root namespace without a selector it is the mesh's; elsewhere without a selector its namespace's."""

    selector: WorkloadSelector | None = None
    """The workloads that the policy is for; all of its namespace by default, and all of the mesh in the root
    namespace."""
    mtls: MutualTLS | None = None
    """Whether callers must have a certificate of the mesh."""
    port_level_mtls: dict[int, MutualTLS] | None = None
    """The same for single ports of the workload."""
