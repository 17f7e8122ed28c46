"""What a VirtualService's header operations become: fields of a route or a weighted cluster, and its authority."""

from collections.abc import Iterable
from typing import Any

from pymesh.control.model.virtual_service import HeaderOperations, Headers

_AUTHORITY = (":authority", "host")


def build_header_operations(levels: Iterable[Headers | None]) -> dict[str, Any]:
    """`request_headers_to_add` and its like. `set` comes before `add`.

    Pseudo headers and Host cannot be changed like others: authority_of() has them, the rest is left out.
    """
    fields: dict[str, Any] = {}
    for level in levels:
        for direction in ("request", "response"):
            operations: HeaderOperations | None = getattr(level, direction, None)
            if operations is not None:
                _extend(fields, f"{direction}_headers_to_add", _options(operations))
                _extend(fields, f"{direction}_headers_to_remove", [n for n in operations.remove if _is_plain(n)])
    return fields


def authority_of(headers: Headers | None) -> str:
    """The Host that request operations set; `set` goes before `add`."""
    if headers is None or headers.request is None:
        return ""
    for values in (headers.request.set, headers.request.add):
        for name, value in values.items():
            if name.lower() in _AUTHORITY:
                return value
    return ""


def _options(operations: HeaderOperations) -> list[dict[str, Any]]:
    replaced = [_option(name, value, "OVERWRITE_IF_EXISTS_OR_ADD") for name, value in sorted(operations.set.items())]
    added = [_option(name, value, "APPEND_IF_EXISTS_OR_ADD") for name, value in sorted(operations.add.items())]
    return [option for option in replaced + added if _is_plain(option["header"]["key"])]


def _option(name: str, value: str, action: str) -> dict[str, Any]:
    return {"header": {"key": name, "value": value}, "append_action": action}


def _extend(fields: dict[str, Any], key: str, values: list[Any]) -> None:
    if values:
        fields[key] = fields.get(key, []) + values


def _is_plain(name: str) -> bool:
    return not name.startswith(":") and name.lower() != "host"
