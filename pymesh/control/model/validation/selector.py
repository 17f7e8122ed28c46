"""Rules of what says where a policy holds: labels of workloads, and references to other objects."""

from collections.abc import Mapping, Sequence

from pymesh.control.model.messages import LabelSelector, WorkloadSelector
from pymesh.control.model.scope import Scope
from pymesh.control.model.targets import PolicyTargetReference

_LARGEST_TARGETS = 16
_LARGEST_LABELS = 4096
_LONGEST_NAME = 253
# Group and kind of what a policy may refer to.
_TARGETS = (
    ("", "Service"),
    ("core", "Service"),
    ("networking.istio.io", "ServiceEntry"),
    ("gateway.networking.k8s.io", "Gateway"),
    ("gateway.networking.k8s.io", "GatewayClass"),
)


def check_selector(selector: WorkloadSelector | None, at: Scope) -> None:
    """Istio: validateWorkloadSelector."""
    if selector is not None:
        _check_match_labels(selector.match_labels, at["matchLabels"])


def check_label_selector(selector: LabelSelector | None, at: Scope) -> None:
    """Istio: ValidateAlphaWorkloadSelector."""
    if selector is not None:
        _check_match_labels(selector.labels, at["labels"])


def check_one_of_targets(
    selector: WorkloadSelector | None,
    target_ref: PolicyTargetReference | None,
    target_refs: Sequence[PolicyTargetReference],
    at: Scope,
) -> None:
    """Istio: validateOneOfSelectorType and the rules of each of them."""
    chosen = [selector is not None, target_ref is not None, bool(target_refs)]
    at.require(sum(chosen) <= 1, "must have only one of selector, targetRef and targetRefs")
    check_selector(selector, at["selector"])
    if target_ref is not None:
        _check_target(target_ref, at["targetRef"])
    check_targets(target_refs, at["targetRefs"])


def check_targets(targets: Sequence[PolicyTargetReference], at: Scope) -> None:
    at.require(len(targets) <= _LARGEST_TARGETS, f"must be {_LARGEST_TARGETS} at most")
    for index, target in enumerate(targets):
        _check_target(target, at[index])


def _check_target(target: PolicyTargetReference, at: Scope) -> None:
    at["name"].require(target.name, "is required")
    at["name"].require(len(target.name) <= _LONGEST_NAME, f"must not be longer than {_LONGEST_NAME} characters")
    at["namespace"].require(not target.namespace, "must not be set: a target is in the policy's own namespace")
    is_known = (target.group, target.kind) in _TARGETS
    at["kind"].require(is_known, f"must be Service, ServiceEntry or Gateway, not {target.group}/{target.kind}")


def _check_match_labels(labels: Mapping[str, str], at: Scope) -> None:
    if not labels:
        at.warn("is empty: all workloads are selected")
    at.require(len(labels) <= _LARGEST_LABELS, f"must be {_LARGEST_LABELS} at most")
    for key, value in labels.items():
        at.require(key, "a label must have a name")
        at[key].require("*" not in key + value, "wildcards are not supported in a selector")
        at[key].require(len(key) <= 63 + 1 + 253, "is longer than a label may be")
        at[key].require(len(value) <= 63, "must not be longer than 63 characters")
