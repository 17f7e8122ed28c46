"""Objects as files and requests write them <-> resources. Everything behind this is typed and valid."""

from typing import Any

import msgspec

from pymesh.control.model.document import Document, read_documents
from pymesh.control.model.kinds import KINDS, Kind, kind_of
from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.model.message_decoder import decode_message, type_name
from pymesh.control.model.not_implemented import check_implemented
from pymesh.control.model.resource import Metadata, Resource, Written
from pymesh.control.model.scope import Scope
from pymesh.control.model.secret import Secret
from pymesh.control.model.validation import syntax
from pymesh.control.model.validation.http_route import check_retries
from pymesh.control.model.validation.resource import validate
from pymesh.errors import PymeshError, ValidationError, Violation
from pymesh.names import DEFAULT_NAMESPACE

# What kubectl writes into files that it fetched and that the server alone decides.
_SERVER_OWNED = ("managedFields", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds")
_NOT_IMPLEMENTED_METADATA = ("generateName", "ownerReferences", "finalizers")


def decode(fields: Any, namespace: str = DEFAULT_NAMESPACE) -> Resource[Any]:
    """The resource that an object describes; `namespace` is for an object that names none.

    Raises ValidationError with every violation: unknown fields, wrong types, what pymesh does not implement, and the
    rules of the kind.
    """
    at = Scope()
    kind = _decode_kind(fields, at)
    if kind is None:
        raise ValidationError(_word(fields, "kind", "object"), _word(fields, "metadata", "", "name"), at.violations)
    metadata = _decode_metadata(fields.get("metadata"), namespace, at["metadata"])
    resource = _decode_resource(kind, metadata, fields, at)
    at.violations += _further(validate(resource), at.violations)
    if at.violations:
        raise ValidationError(kind.name, f"{metadata.namespace}/{metadata.name}", at.violations)
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
        raise ValidationError(_word(fields, "kind", "object"), _word(fields, "metadata", "", "name"), at.violations)
    return resource


def decode_yaml(text: str | bytes, source: str, namespace: str = DEFAULT_NAMESPACE) -> list[Resource[Any]]:
    """All resources of a YAML stream, Lists taken apart.

    Raises DocumentError for text that is no YAML, and InvalidDocumentsError with the violations of all documents.
    """
    resources, problems = [], []
    for document in read_documents(text):
        for fields in items_of(document.value):
            try:
                resources.append(decode(fields, namespace))
            except ValidationError as error:
                problems += _located(error, source, document)
    if problems:
        raise InvalidDocumentsError(problems)
    return resources


class InvalidDocumentsError(PymeshError):
    """Violations in one or several documents, a line each: file, document, line, object, path and reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def items_of(fields: Any) -> list[Any]:
    """The objects of a document: its items, if it is a List."""
    if (
        isinstance(fields, dict)
        and str(fields.get("kind", "")).endswith("List")
        and isinstance(fields.get("items"), list)
    ):
        return list(fields["items"])
    return [fields]


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


def decode_mesh_config(fields: Any) -> MeshConfig:
    """Raises ValidationError; a field of Istio's MeshConfig that pymesh does not know is refused."""
    at = Scope()
    mesh = decode_message(MeshConfig, fields, at)
    check_implemented("MeshConfig", fields, at)
    syntax.check_duration(mesh.connect_timeout, at["connectTimeout"])
    if mesh.default_http_retry_policy is not None:
        check_retries(mesh.default_http_retry_policy, at["defaultHttpRetryPolicy"])
    syntax.check_range(mesh.default_config.tracing.sampling, 0, 100, at["defaultConfig"]["tracing"]["sampling"])
    syntax.check_dns_label(mesh.root_namespace, at["rootNamespace"])
    syntax.check_exact_host(mesh.trust_domain, at["trustDomain"])
    _check_default_exports(mesh, at)
    if at.violations:
        raise ValidationError("MeshConfig", "", at.violations)
    return mesh


def _check_default_exports(mesh: MeshConfig, at: Scope) -> None:
    defaults = {
        "defaultServiceExportTo": mesh.default_service_export_to,
        "defaultVirtualServiceExportTo": mesh.default_virtual_service_export_to,
        "defaultDestinationRuleExportTo": mesh.default_destination_rule_export_to,
    }
    for name, export_to in defaults.items():
        # `.` is the namespace of each object, so it cannot be the same as one that is named.
        syntax.check_export_to(export_to, ".", at[name], allow_none=True)


def _decode_kind(fields: Any, at: Scope) -> Kind | None:
    if not isinstance(fields, dict):
        at.fail(f"must be an object with apiVersion and kind, not {type_name(fields)}")
        return None
    api_version, name = fields.get("apiVersion"), fields.get("kind")
    if not isinstance(api_version, str) or not isinstance(name, str):
        at["kind"].fail("apiVersion and kind are required")
        return None
    kind = kind_of(api_version, name)
    if kind is None:
        known = next((kind for kind in KINDS if kind.name == name), None)
        served = f"; {name} is served as {known.group}/{{{','.join(known.versions)}}}" if known else ""
        at["kind"].fail(f"pymesh does not know {api_version} {name}{served}")
    return kind


def _decode_metadata(fields: Any, namespace: str, at: Scope) -> Metadata:
    if fields is None:
        return Metadata(namespace=namespace)
    if isinstance(fields, dict):
        for name in _NOT_IMPLEMENTED_METADATA:
            at[name].require(not fields.get(name), f"pymesh does not implement metadata.{name}")
        left_out = (*_SERVER_OWNED, *_NOT_IMPLEMENTED_METADATA)
        fields = {key: value for key, value in fields.items() if key not in left_out}
    metadata = decode_message(Metadata, fields, at)
    return metadata if metadata.namespace else msgspec.structs.replace(metadata, namespace=namespace)


def _decode_resource(
    kind: Kind, metadata: Metadata, fields: dict[str, Any], at: Scope, is_stored: bool = False
) -> Resource[Any]:
    envelope = ("apiVersion", "kind", "metadata", "status")
    body = {key: value for key, value in fields.items() if key not in envelope}
    if not kind.is_inline:
        for key in body:
            at[str(key)].require(key == "spec", "unknown field")
        body, at = {} if body.get("spec") is None else body["spec"], at["spec"]
    spec = decode_message(kind.spec_type, body, at)
    if not is_stored:
        check_implemented(kind.name, body, at)
    status = _decode_status(fields.get("status"), at)
    if isinstance(spec, Secret):
        spec = _merge_string_data(spec)
        return Resource(kind=kind, metadata=metadata, spec=spec, status=status)
    return Resource(kind=kind, metadata=metadata, spec=spec, status=status, written=Written(spec, body))


def _decode_status(status: Any, at: Scope) -> dict[str, Any]:
    if status is None or isinstance(status, dict):
        return status or {}
    Scope("status", at.violations).fail(f"must be an object, not {type_name(status)}")
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
    return [one for one in violations if not any(_follows(one.path, path) for path in undecoded)]


def _follows(path: str, undecoded: str) -> bool:
    parent = undecoded[: max(undecoded.rfind("."), undecoded.rfind("["))]
    return path == parent or _is_within(path, undecoded)


def _is_within(path: str, outer: str) -> bool:
    return path.startswith(outer) and path[len(outer) : len(outer) + 1] in ("", ".", "[")


def _located(error: ValidationError, source: str, document: Document) -> list[str]:
    place = f"{source}: document {document.number} (line {document.line}): {error.kind} {error.name}".rstrip()
    return [f"{place}: {violation}" for violation in error.violations]


def _word(fields: Any, key: str, default: str, *more: str) -> str:
    """A name for an error message, out of fields of which nothing is known."""
    value = fields.get(key) if isinstance(fields, dict) else None
    if more:
        return _word(value, more[0], default, *more[1:])
    return value if isinstance(value, str) else default
