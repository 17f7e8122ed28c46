"""What the query of a request asks for, besides the object. Pure: a mapping in, options out.

https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from collections.abc import Mapping
from typing import NamedTuple, cast

from pymesh.control.api.status import RequestError, invalid
from pymesh.control.model.serializer import FieldValidation

_LONGEST_MANAGER = 128  # Kubernetes
_VALIDATIONS = ("Strict", "Warn", "Ignore")
_PROPAGATIONS = ("Orphan", "Background", "Foreground")
_TRUE = ("true", "1", "True")


class WriteOptions(NamedTuple):
    """`manager`: who writes, for managedFields. `field_validation`: Strict without the parameter, as Istio's webhook
    refuses what it does not know."""

    manager: str
    is_dry_run: bool
    field_validation: FieldValidation
    is_forced: bool


def parse_write_options(query: Mapping[str, str], user_agent: str) -> WriteOptions:
    """Raises RequestError."""
    validation = query.get("fieldValidation") or "Strict"
    if validation not in _VALIDATIONS:
        raise RequestError(f"fieldValidation must be one of {', '.join(_VALIDATIONS)}, not {validation!r}")
    manager = query.get("fieldManager") or user_agent.partition("/")[0] or "unknown"
    if len(manager) > _LONGEST_MANAGER or not manager.isprintable():
        raise RequestError(f"fieldManager must be printable and not longer than {_LONGEST_MANAGER} characters")
    is_dry_run = parse_dry_run(query.get("dryRun"))
    return WriteOptions(manager, is_dry_run, cast(FieldValidation, validation), query.get("force") in _TRUE)


def parse_dry_run(value: object) -> bool:
    """`All`, or nothing. Of DeleteOptions it is a list. Raises RequestError."""
    values = value if isinstance(value, list) else [value] if value else []
    if any(one != "All" for one in values):
        raise RequestError("dryRun must be All")
    return bool(values)


def check_propagation(value: object) -> None:
    """Nothing here has dependents, so every policy is the same; Kubernetes refuses others. Raises RequestError."""
    if value not in (None, "", *_PROPAGATIONS):
        raise invalid(f"must be one of {', '.join(_PROPAGATIONS)}", "propagationPolicy")


def parse_number(query: Mapping[str, str], name: str) -> int | None:
    """Raises RequestError."""
    text = query.get(name, "")
    if not text:
        return None
    if not text.isdecimal() or len(text) > 18:
        raise RequestError(f"{name} must be a number, not {text!r}")
    return int(text)


def is_true(query: Mapping[str, str], name: str) -> bool:
    return query.get(name) in _TRUE
