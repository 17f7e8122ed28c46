"""The conditions of one object, in the form of Kubernetes. Pure.

`Reconciled` is Istio's: whether all connected proxies have the object as it stands. `Effective` is false where another
rule stands before it.
https://istio.io/latest/docs/reference/config/config-status/
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from pymesh.control.model import kinds
from pymesh.control.model.resource import Resource

# The rules of the mesh. What else has a status (WorkloadEntry) has it of somebody else.
KINDS_WITH_STATUS = frozenset(
    (
        kinds.VIRTUAL_SERVICE,
        kinds.DESTINATION_RULE,
        kinds.GATEWAY,
        kinds.SERVICE_ENTRY,
        kinds.SIDECAR,
        kinds.PEER_AUTHENTICATION,
        kinds.REQUEST_AUTHENTICATION,
        kinds.AUTHORIZATION_POLICY,
        kinds.TELEMETRY,
    )
)

RECONCILED = "Reconciled"
EFFECTIVE = "Effective"

# In status.conditions[].reason, and in a column of `kubectl get`.
IN_FORCE = "InForce"
PENDING = "Pending"
REJECTED = "Rejected"
SHADOWED = "Shadowed"
PARTLY_SHADOWED = "PartlyShadowed"
NO_PROXIES = "NoProxies"
UP_TO_DATE = "UpToDate"


class Reach(NamedTuple):
    """How far an object has come: proxies that obey everything up to its last change, those that are connected, and
    what some of them said when they refused what was made of it."""

    up_to_date: int
    connected: int
    rejections: tuple[str, ...] = ()


class Shadow(NamedTuple):
    """`is_whole`: nothing of the object has an effect. `reasons` are sentences."""

    is_whole: bool
    reasons: tuple[str, ...]


class Condition(NamedTuple):
    """`status` is True, False or Unknown, as text."""

    type: str
    status: str
    reason: str
    message: str = ""


def reconciled(reach: Reach) -> Condition:
    if reach.rejections:
        return Condition(RECONCILED, "False", REJECTED, "; ".join(reach.rejections))
    if not reach.connected:
        return Condition(RECONCILED, "Unknown", NO_PROXIES, "no proxy is connected")
    count = f"{reach.up_to_date}/{reach.connected} proxies up to date"
    if reach.up_to_date < reach.connected:
        return Condition(RECONCILED, "False", PENDING, count)
    return Condition(RECONCILED, "True", UP_TO_DATE, count)


def effective(shadow: Shadow | None) -> Condition:
    if shadow is None:
        return Condition(EFFECTIVE, "True", IN_FORCE)
    reason = SHADOWED if shadow.is_whole else PARTLY_SHADOWED
    return Condition(EFFECTIVE, str(not shadow.is_whole), reason, "; ".join(shadow.reasons))


def merge_conditions(resource: Resource[Any], conditions: Iterable[Condition], now: str) -> dict[str, Any]:
    """The object's status with these conditions; those of other types stay. `now` is RFC 3339."""
    conditions_now = resource.status.get("conditions", ())
    known: dict[str, Any] = {str(one.get("type")): one for one in conditions_now if isinstance(one, dict)}
    merged = {condition.type: _encode(condition, known.get(condition.type), resource, now) for condition in conditions}
    return {**resource.status, "conditions": list((known | merged).values())}


def summary(status: dict[str, Any]) -> str:
    """One word for a column: what keeps the object from being in force, or InForce; empty before the first look."""
    conditions = [one for one in status.get("conditions", ()) if isinstance(one, dict)]
    found = {one.get("type"): one for one in conditions}
    for kind, good in ((RECONCILED, UP_TO_DATE), (EFFECTIVE, IN_FORCE)):
        reason = str(found.get(kind, {}).get("reason", good))
        if reason != good:
            return reason
    return IN_FORCE if EFFECTIVE in found else ""


def _encode(condition: Condition, old: dict[str, Any] | None, resource: Resource[Any], now: str) -> dict[str, Any]:
    """Kubernetes: the transition is that of `status`, not of the message."""
    is_same = old is not None and old.get("status") == condition.status
    since = old.get("lastTransitionTime", now) if old is not None and is_same else now
    encoded = {**condition._asdict(), "lastTransitionTime": since, "observedGeneration": resource.metadata.generation}
    return encoded if condition.message else {key: value for key, value in encoded.items() if key != "message"}
