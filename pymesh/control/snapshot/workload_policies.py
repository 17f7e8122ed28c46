"""Policies that hold for the workloads which their selector chooses: the root namespace's, and the workload's own."""

from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from pymesh.control.model.authorization_policy import AuthorizationPolicy
from pymesh.control.model.request_authentication import RequestAuthentication
from pymesh.control.model.resource import Resource

PolicyT = TypeVar("PolicyT", AuthorizationPolicy, RequestAuthentication, covariant=True)


class WorkloadPolicies(Generic[PolicyT]):
    """Istio: ListAuthorizationPolicies in pilot/pkg/model/authorization.go."""

    def __init__(self, resources: Iterable[Resource[PolicyT]], root_namespace: str) -> None:
        """`resources` come oldest first."""
        self._root = root_namespace
        self._by_namespace: dict[str, list[Resource[PolicyT]]] = {}
        for resource in resources:
            self._by_namespace.setdefault(resource.namespace, []).append(resource)

    def of_workload(self, namespace: str, labels: dict[str, str]) -> list[Resource[PolicyT]]:
        """All of them count: those of the root namespace first, the oldest first."""
        namespaces = dict.fromkeys((self._root, namespace))
        found = (resource for name in namespaces for resource in self._by_namespace.get(name, ()))
        return [resource for resource in found if _selects(resource.spec, labels)]


def _selects(spec: Any, labels: dict[str, str]) -> bool:
    wanted: dict[str, str] = spec.selector.match_labels if spec.selector is not None else {}
    return wanted.items() <= labels.items()
