"""Rules of headers that are set, added and removed."""

from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.control.model.validation.header_value import check_header_text, check_header_value
from pymesh.control.model.virtual_service import HeaderOperations, Headers, HTTPRoute

_AUTHORITY = (":authority", "host")


def check_headers(headers: Headers | None, at: Scope) -> None:
    if headers is None:
        return
    _check_header_operations(headers.request, at["request"], may_set=_AUTHORITY)
    _check_header_operations(headers.response, at["response"], may_set=())


def _check_header_operations(operations: HeaderOperations | None, at: Scope, may_set: tuple[str, ...]) -> None:
    if operations is None:
        return
    for field, values in (("set", operations.set), ("add", operations.add)):
        for name, value in values.items():
            if name.lower() not in may_set:
                _check_mutable_header(name, at[field][name])
            (check_header_text if name.lower() in may_set else check_header_value)(value, at[field][name])
    for index, name in enumerate(operations.remove):
        _check_mutable_header(name, at["remove"][index])


def _check_mutable_header(name: str, at: Scope) -> None:
    """Envoy refuses to touch pseudo headers and Host by header operations."""
    at.require(name, "a header must have a name")
    at.require(not name.startswith(":") and name.lower() != "host", f"{name!r} cannot be changed here")
    if name and not name.startswith(":"):
        syntax.check_header_name(name, at)


def check_single_authority(route: HTTPRoute, at: Scope) -> None:
    request = route.headers.request if route.headers is not None else None
    names = [] if request is None else [*request.set, *request.add]
    count = sum(name.lower() in _AUTHORITY for name in names)
    has_rewrite = route.rewrite is not None and bool(route.rewrite.authority)
    at.require(count + has_rewrite <= 1, "the authority must be set only once")
