"""Rules of metadata, whatever the kind."""

from pymesh.control.model.authorization_policy import DRY_RUN, DRY_RUN_VALUES
from pymesh.control.model.foreign_kinds import is_foreign
from pymesh.control.model.kinds import AUTHORIZATION_POLICY, GATEWAY, NAMESPACE, SERVICE, Kind
from pymesh.control.model.resource import Metadata
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax

_LARGEST_ANNOTATIONS = 256 * 1024  # Kubernetes


def check_metadata(kind: Kind, metadata: Metadata, at: Scope) -> None:
    if not metadata.name:
        at["name"].fail("is required")
    elif is_foreign(kind):  # some of them may have any name that fits into a URL
        is_segment = metadata.name not in (".", "..") and not set(metadata.name) & set("/%")
        at["name"].require(is_segment, f"must be a segment of a path, not {metadata.name!r}")
    elif kind in (GATEWAY, NAMESPACE, SERVICE):  # they become parts of names that have no room for a dot
        syntax.check_dns_label(metadata.name, at["name"])
    else:
        is_valid = syntax.is_dns_subdomain(metadata.name)
        at["name"].require(is_valid, f"must be a DNS name in lower case, not {metadata.name!r}")
    if kind.is_namespaced:
        syntax.check_dns_label(metadata.namespace, at["namespace"])
    else:
        at["namespace"].require(not metadata.namespace, f"must be empty, as a {kind.name} is in no namespace")
    syntax.check_labels(metadata.labels, at["labels"])
    _check_owners(metadata, at["ownerReferences"])
    for index, finalizer in enumerate(metadata.finalizers):
        syntax.check_qualified_name(finalizer, at["finalizers"][index])
    for key in metadata.annotations:
        syntax.check_qualified_name(key.lower(), at["annotations"][key])
    if DRY_RUN in metadata.annotations:
        _check_dry_run(kind, metadata.annotations[DRY_RUN], at["annotations"][DRY_RUN])
    size = sum(len(key) + len(value) for key, value in metadata.annotations.items())
    at["annotations"].require(size <= _LARGEST_ANNOTATIONS, f"must not be larger than {_LARGEST_ANNOTATIONS} bytes")


def _check_owners(metadata: Metadata, at: Scope) -> None:
    for index, owner in enumerate(metadata.owner_references):
        told = {"apiVersion": owner.api_version, "kind": owner.kind, "name": owner.name, "uid": owner.uid}
        for name, value in told.items():
            at[index][name].require(value, "is required")
    if metadata.owner_references:
        at.warn("has no effect: the object stays when its owners go")


def _check_dry_run(kind: Kind, value: str, at: Scope) -> None:
    at.require(kind == AUTHORIZATION_POLICY, f"is only for an AuthorizationPolicy: {DRY_RUN}")
    at.require(value in DRY_RUN_VALUES, f"must be true or false, not {value!r}")
