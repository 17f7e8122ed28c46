"""What the API serves, as clients discover it: one entry a kind, with the verbs that it knows."""

from collections.abc import Iterable
from typing import NamedTuple

from pymesh.control.model.foreign_kinds import FOREIGN_KINDS
from pymesh.control.model.kinds import CORE, KINDS, SERVICE, Kind

_READ_VERBS = ("get", "list", "watch")
_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


class ApiResource(NamedTuple):
    """Without a `kind`, it is a question that is answered (an access review) or a list that is always empty (events).

    `subresources`: the parts of an object with a path of their own.
    """

    name: str
    group: str
    versions: tuple[str, ...]
    plural: str
    singular: str
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    is_namespaced: bool = True
    verbs: tuple[str, ...] = _VERBS
    subresources: tuple[str, ...] = ()
    kind: Kind | None = None

    @property
    def qualified_name(self) -> str:
        """As Kubernetes' messages name it: `virtualservices.networking.istio.io`, `services`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def api_version(self, version: str) -> str:
        return f"{self.group}/{version}" if self.group else version


def _of_kind(kind: Kind) -> ApiResource:
    return ApiResource(
        kind.name,
        kind.group,
        kind.versions,
        kind.plural,
        kind.singular,
        kind.short_names,
        _categories(kind),
        kind.is_namespaced,
        subresources=() if kind.is_inline else ("status",),
        kind=kind,
    )


def _categories(kind: Kind) -> tuple[str, ...]:
    """`kubectl get istio-io` is every kind of Istio, as with Istio's CRDs."""
    if kind.group.endswith(".istio.io"):
        return ("istio-io", kind.group.replace(".", "-"))
    return ("all",) if kind is SERVICE else ()


def _review(name: str, group: str, versions: tuple[str, ...] = ("v1",)) -> ApiResource:
    plural = f"{name.lower()}s"
    return ApiResource(name, group, versions, plural, name.lower(), is_namespaced=False, verbs=("create",))


# `kubectl describe` looks for events and finds none; `kubectl auth` asks what it may do.
EVENTS = ApiResource("Event", CORE, ("v1",), "events", "event", ("ev",), verbs=_READ_VERBS)
ACCESS_REVIEW = _review("SelfSubjectAccessReview", "authorization.k8s.io")
RULES_REVIEW = _review("SelfSubjectRulesReview", "authorization.k8s.io")
SUBJECT_REVIEW = _review("SelfSubjectReview", "authentication.k8s.io", ("v1", "v1beta1", "v1alpha1"))

API_RESOURCES = (
    *(_of_kind(kind) for kind in KINDS),
    *(_of_kind(kind) for kind in FOREIGN_KINDS),
    EVENTS,
    ACCESS_REVIEW,
    RULES_REVIEW,
    SUBJECT_REVIEW,
)

_BY_PATH = {(one.group, version, one.plural): one for one in API_RESOURCES for version in one.versions}


def resource_at(group: str, version: str, plural: str) -> ApiResource | None:
    return _BY_PATH.get((group, version, plural))


def groups_of(resources: Iterable[ApiResource]) -> dict[str, list[str]]:
    """Group -> its versions, the preferred one first."""
    groups: dict[str, list[str]] = {}
    for one in resources:
        versions = groups.setdefault(one.group, [])
        versions += [version for version in one.versions if version not in versions]
    return groups
