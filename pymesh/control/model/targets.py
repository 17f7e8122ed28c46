"""PolicyTargetReference: Istio's other way of saying where a policy holds, for gateways of the Gateway API.

https://istio.io/latest/docs/reference/config/type/workload-selector/#PolicyTargetReference
"""

from pymesh.control.model.messages import Message


class PolicyTargetReference(Message):
    """An object in the policy's namespace."""

    group: str = ""
    """API group of the target."""
    kind: str = ""
    """Kind of the target."""
    name: str = ""
    """Name of the target."""
    namespace: str = ""
    """Namespace of the target; it must be the policy's own, so it stays empty."""
