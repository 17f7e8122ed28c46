"""Kubernetes Status objects: how the API says that something failed, or that it is done.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
"""

from typing import Any

from aiohttp import web

from pymesh.control.model.document import DocumentError
from pymesh.control.model.kinds import Kind
from pymesh.control.store.errors import AlreadyExistsError, ConflictError, NotFoundError, RevisionGoneError, StoreError
from pymesh.errors import PymeshError, ValidationError, Violation


class RequestError(PymeshError):
    """The request itself is wrong; `code` and `reason` as Kubernetes has them."""

    def __init__(self, message: str, code: int = 400, reason: str = "BadRequest") -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason


_REASONS: tuple[tuple[type[PymeshError], int, str], ...] = (
    (NotFoundError, 404, "NotFound"),
    (AlreadyExistsError, 409, "AlreadyExists"),
    (ConflictError, 409, "Conflict"),
    (RevisionGoneError, 410, "Expired"),
    (DocumentError, 400, "BadRequest"),
    (StoreError, 500, "InternalError"),
)


def failure(error: PymeshError, kind: Kind | None = None, name: str = "") -> dict[str, Any]:
    """The Status that an error becomes. A PymeshError that is not known here is raised again: it is a bug."""
    if isinstance(error, ValidationError):
        return _invalid(error, kind)
    if isinstance(error, RequestError):
        return _status(str(error), error.reason, error.code, _details(kind, name))
    for error_type, code, reason in _REASONS:
        if isinstance(error, error_type):
            return _status(str(error), reason, code, _details(kind, name))
    raise error


def success(kind: Kind, name: str, uid: str) -> dict[str, Any]:
    details = {**_details(kind, name), "uid": uid}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def respond(status: dict[str, Any]) -> web.Response:
    return web.json_response(status, status=status.get("code", 200))


def _invalid(error: ValidationError, kind: Kind | None) -> dict[str, Any]:
    name = error.name.rpartition("/")[2]
    causes = [_cause(violation) for violation in error.violations]
    what = "; ".join(map(str, error.violations))
    details = {**_details(kind, name), "causes": causes}
    return _status(f'{error.kind} "{name}" is invalid: {what}', "Invalid", 422, details)


def _cause(violation: Violation) -> dict[str, str]:
    return {"reason": "FieldValueInvalid", "message": violation.message, "field": violation.path}


def _details(kind: Kind | None, name: str) -> dict[str, Any]:
    details = {"name": name} if name else {}
    return details if kind is None else {**details, "group": kind.group, "kind": kind.plural}


def _status(message: str, reason: str, code: int, details: dict[str, Any]) -> dict[str, Any]:
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
