"""Kubernetes Status objects: how the API says that something failed, or that it is done.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
"""

from typing import Any

from pymesh.control.api.api_resources import ApiResource
from pymesh.control.model.document import DocumentError
from pymesh.control.store.errors import AlreadyExistsError, ConflictError, NotFoundError, RevisionGoneError, StoreError
from pymesh.errors import PymeshError, ValidationError, Violation

_Json = dict[str, Any]


class RequestError(PymeshError):
    """The request itself is wrong; `code` and `reason` as Kubernetes has them. `causes`: Kubernetes' StatusCauses."""

    def __init__(
        self, message: str, code: int = 400, reason: str = "BadRequest", causes: tuple[dict[str, str], ...] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.causes = causes


def invalid(message: str, field: str) -> RequestError:
    """422. Clients print the causes and not the message."""
    cause = {"reason": "FieldValueInvalid", "message": message, "field": field}
    return RequestError(f"{field}: {message}", 422, "Invalid", (cause,))


def failure(error: PymeshError, resource: ApiResource | None = None, name: str = "") -> _Json:
    """The Status that an error becomes. A PymeshError that is not known here is raised again: it is a bug."""
    details = _details(resource, name)
    if isinstance(error, ValidationError):
        return _refused(error, resource)
    if isinstance(error, RequestError):
        causes = {"causes": list(error.causes)} if error.causes else {}
        return _status(str(error), error.reason, error.code, details | causes)
    if isinstance(error, NotFoundError):
        return _status(f"{_subject(error, resource)} not found", "NotFound", 404, details)
    if isinstance(error, AlreadyExistsError):
        return _status(f"{_subject(error, resource)} already exists", "AlreadyExists", 409, details)
    if isinstance(error, ConflictError):
        return _status(_conflict(error, resource), "Conflict", 409, details)
    if isinstance(error, RevisionGoneError):
        return _status(f"too old resource version: {error}", "Expired", 410, {})
    if isinstance(error, DocumentError):
        return _status(str(error), "BadRequest", 400, details)
    if isinstance(error, StoreError):
        return _status(str(error), "InternalError", 500, details)
    raise error


def success(resource: ApiResource, name: str, uid: str) -> _Json:
    details = {**_details(resource, name), **({"uid": uid} if uid else {})}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def _conflict(error: ConflictError, resource: ApiResource | None) -> str:
    """In Kubernetes' words, by which some clients know that they may try again."""
    modified = "the object has been modified; please apply your changes to the latest version and try again"
    reason = modified if error.what == "resourceVersion" else str(error)
    return f"Operation cannot be fulfilled on {_subject(error, resource)}: {reason}"


def _subject(error: NotFoundError | AlreadyExistsError | ConflictError, resource: ApiResource | None) -> str:
    return f'{resource.qualified_name if resource else error.key.kind} "{error.key.name}"'


def _refused(error: ValidationError, resource: ApiResource | None) -> _Json:
    """Only unknown fields: 400, as a strict decoding error, by which clients know a typing mistake. Otherwise 422."""
    name = error.name.rpartition("/")[2]
    causes = [_cause(violation) for violation in error.violations]
    details: _Json = {"name": name} if name else {}
    details |= {"group": resource.group, "kind": error.kind} if resource else {}
    details |= {"causes": causes}
    if all(map(_is_unknown_field, error.violations)):
        unknown = ", ".join(_unknown_field(violation) for violation in error.violations)
        return _status(f'{error.kind} "{name}": strict decoding error: {unknown}', "BadRequest", 400, details)
    what = "; ".join(map(str, error.violations))
    return _status(f'{error.kind} "{name}" is invalid: {what}', "Invalid", 422, details)


def _is_unknown_field(violation: Violation) -> bool:
    return violation.message.startswith("unknown field")


def _unknown_field(violation: Violation) -> str:
    """`unknown field "spec.htp"`, and what was perhaps meant."""
    hint = violation.message.removeprefix("unknown field").lstrip("; ")
    return f'unknown field "{violation.path}"' + (f" ({hint})" if hint else "")


def _cause(violation: Violation) -> dict[str, str]:
    reason = "FieldValueRequired" if violation.message == "is required" else "FieldValueInvalid"
    return {"reason": reason, "message": violation.message, "field": violation.path}


def _details(resource: ApiResource | None, name: str) -> _Json:
    details = {"name": name} if name else {}
    return details if resource is None else {**details, "group": resource.group, "kind": resource.plural}


def _status(message: str, reason: str, code: int, details: _Json) -> _Json:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "details": details,
        "code": code,
    }
