"""Objects as files and requests write them <-> resources. Everything behind this is typed and valid."""

from typing import Any, Literal, NamedTuple

import msgspec

from pymesh.control.model.foreign_kinds import ForeignBody, foreign_kind_of, is_foreign
from pymesh.control.model.kinds import KINDS, Kind, kind_of
from pymesh.control.model.message_decoder import decode_message, type_name
from pymesh.control.model.not_implemented import check_implemented
from pymesh.control.model.pruning import prune
from pymesh.control.model.resource import Metadata, Resource, Written
from pymesh.control.model.scope import Scope, path_of
from pymesh.control.model.secret import Secret
from pymesh.control.model.validation.resource import validate
from pymesh.errors import ValidationError, Violation
from pymesh.names import DEFAULT_NAMESPACE

# What kubectl writes into files that it fetched and that the server alone decides.
_SERVER_OWNED = ("managedFields", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds")
# How rules complain that something is missing in what is around a field.
_ABSENCE = ("is required", "are required", "must have", "the weights")


FieldValidation = Literal["Strict", "Warn", "Ignore"]


class Decoded(NamedTuple):
    """`warnings`: what is valid and yet perhaps not what the author expects, each with its path."""

    resource: Resource[Any]
    warnings: tuple[Violation, ...]


def decode(fields: Any, namespace: str = DEFAULT_NAMESPACE) -> Resource[Any]:
    """The resource that an object describes; `namespace` is for an object that names none.

    Raises ValidationError with every violation: unknown fields, wrong types, what pymesh does not implement, and the
    rules of the kind.
    """
    return decode_with_warnings(fields, namespace).resource


def decode_with_warnings(
    fields: Any, namespace: str = DEFAULT_NAMESPACE, field_validation: FieldValidation = "Strict"
) -> Decoded:
    """As `decode`, with the warnings. Unknown fields are violations (Strict), or they are dropped, with a warning for
    each (Warn) or without (Ignore)."""
    at = Scope()
    resource = _decode_object(fields, namespace, at)
    unknown = at.notes.unknown
    if unknown and field_validation != "Strict":
        decoded = decode_with_warnings(prune(fields, unknown), namespace)
        dropped = [Violation(path_of(steps), "unknown field") for steps in unknown]
        return decoded._replace(warnings=(*(dropped if field_validation == "Warn" else ()), *decoded.warnings))
    if resource is None:
        raise ValidationError(word_at(fields, "kind") or "object", word_at(fields, "metadata", "name"), at.violations)
    if at.violations:
        name = f"{resource.namespace}/{resource.name}" if resource.kind.is_namespaced else resource.name
        raise ValidationError(resource.kind.name, name, at.violations)
    return Decoded(resource, tuple(at.warnings))


def _decode_object(fields: Any, namespace: str, at: Scope) -> Resource[Any] | None:
    kind = _decode_kind(fields, at)
    if kind is None:
        return None
    metadata = _decode_metadata(fields.get("metadata"), namespace if kind.is_namespaced else "", at["metadata"])
    resource = _decode_resource(kind, metadata, fields, at)
    if not at.notes.is_full:
        found = validate(resource)
        at.violations.extend(_further(found.violations, at.violations))
        at.warnings.extend(found.warnings)
    return resource


def decode_stored(fields: Any) -> Resource[Any]:
    """A resource that was valid when it was stored, perhaps by the rules of an older pymesh; only types are checked.

    Raises ValidationError.
    """
    at = Scope()
    kind = _decode_kind(fields, at)
    if kind is not None:
        metadata = decode_message(Metadata, fields.get("metadata"), at["metadata"])
        resource = _decode_resource(kind, metadata, fields, at, is_stored=True)
    if kind is None or at.violations:
        raise ValidationError(word_at(fields, "kind") or "object", word_at(fields, "metadata", "name"), at.violations)
    return resource


def encode(resource: Resource[Any], api_version: str = "") -> dict[str, Any]:
    """The object in JSON, in the preferred version if none is given. Its spec is as its author wrote it."""
    kind = resource.kind
    spec = _encode_spec(resource)
    encoded = {
        "apiVersion": api_version or kind.api_version,
        "kind": kind.name,
        "metadata": msgspec.to_builtins(resource.metadata),
        **(spec if kind.is_inline else {"spec": spec}),
    }
    if resource.status:
        encoded["status"] = resource.status
    return encoded


def _decode_kind(fields: Any, at: Scope) -> Kind | None:
    if not isinstance(fields, dict):
        at.fail(f"must be an object with apiVersion and kind, not {type_name(fields)}")
        return None
    api_version, name = fields.get("apiVersion"), fields.get("kind")
    if not isinstance(api_version, str) or not isinstance(name, str):
        at["kind"].fail("apiVersion and kind are required")
        return None
    kind = kind_of(api_version, name) or foreign_kind_of(api_version, name)
    if kind is None:
        known = next((kind for kind in KINDS if kind.name == name), None)
        served = f"; {name} is served as {known.group}/{{{','.join(known.versions)}}}" if known else ""
        at["kind"].fail(f"pymesh does not know {api_version} {name}{served}")
    return kind


def _decode_metadata(fields: Any, namespace: str, at: Scope) -> Metadata:
    if fields is None:
        return Metadata(namespace=namespace)
    if isinstance(fields, dict):
        fields = {key: value for key, value in fields.items() if key not in _SERVER_OWNED}
    metadata = decode_message(Metadata, fields, at)
    return metadata if metadata.namespace else msgspec.structs.replace(metadata, namespace=namespace)


def _decode_resource(
    kind: Kind, metadata: Metadata, fields: dict[str, Any], at: Scope, is_stored: bool = False
) -> Resource[Any]:
    envelope = ("apiVersion", "kind", "metadata", "status")
    body = {key: value for key, value in fields.items() if key not in envelope}
    spec_at = at
    if is_foreign(kind):
        unread = ForeignBody()
        return Resource(kind=kind, metadata=metadata, spec=unread, written=Written(unread, body))
    if not kind.is_inline:
        for key in body.keys() - {"spec"}:
            at[str(key)].fail_unknown("unknown field")
        spec_at, body = at["spec"], {} if body.get("spec") is None else body["spec"]
    spec = decode_message(kind.spec_type, body, spec_at)
    if not is_stored and not at.notes.is_full:
        check_implemented(kind.name, body, spec_at)
    status = _decode_status(fields.get("status"), at["status"])
    if isinstance(spec, Secret):
        spec = _merge_string_data(spec)
        return Resource(kind=kind, metadata=metadata, spec=spec, status=status)
    return Resource(kind=kind, metadata=metadata, spec=spec, status=status, written=Written(spec, body))


def _decode_status(status: Any, at: Scope) -> dict[str, Any]:
    if status is None or isinstance(status, dict):
        return status or {}
    at.fail(f"must be an object, not {type_name(status)}")
    return {}


def _merge_string_data(secret: Secret) -> Secret:
    """Kubernetes: stringData is write-only and wins over data."""
    text = {key: value.encode() for key, value in secret.string_data.items()}
    return msgspec.structs.replace(secret, data=secret.data | text, string_data={})


def _encode_spec(resource: Resource[Any]) -> dict[str, Any]:
    if resource.written_fields is not None:
        return resource.written_fields
    encoded: dict[str, Any] = msgspec.to_builtins(resource.spec)
    return encoded


def _further(violations: list[Violation], known: list[Violation]) -> list[Violation]:
    """Without those that only follow from a field that could not be decoded and was left at its default."""
    undecoded = [one.path for one in known if one.message.startswith("must be")]
    return [one for one in violations if not any(_follows(one, path) for path in undecoded)]


def _follows(violation: Violation, undecoded: str) -> bool:
    parent = undecoded[: max(undecoded.rfind("."), undecoded.rfind("["))]
    is_of_absence = violation.message.startswith(_ABSENCE)
    return (
        violation.path == parent
        or _is_within(violation.path, undecoded)
        or (is_of_absence and _is_within(undecoded, violation.path))
    )


def _is_within(path: str, outer: str) -> bool:
    return path.startswith(outer) and path[len(outer) : len(outer) + 1] in ("", ".", "[")


def word_at(fields: Any, *path: str) -> str:
    """A name for a message, out of fields of which nothing is known; empty if there is none."""
    for key in path:
        fields = fields.get(key) if isinstance(fields, dict) else None
    return fields if isinstance(fields, str) else ""
