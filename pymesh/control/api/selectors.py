"""labelSelector and fieldSelector of a list or a watch, parsed once.

https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
"""

import re
from collections.abc import Callable
from typing import Any

from pymesh.control.api.status import RequestError
from pymesh.control.model.resource import Resource

Predicate = Callable[[Resource[Any]], bool]
_LabelPredicate = Callable[[dict[str, str]], bool]

_KEY = r"[A-Za-z0-9][-A-Za-z0-9_./]*"
_VALUE = r"[-A-Za-z0-9_.]*"
_SET = re.compile(rf"\s*({_KEY})\s+(in|notin)\s*\(([^()]*)\)\s*")
_EQUAL = re.compile(rf"\s*({_KEY})\s*(==?|!=)\s*({_VALUE})\s*")
_EXISTS = re.compile(rf"\s*(!?)\s*({_KEY})\s*")
_COMMA = re.compile(r",(?![^()]*\))")

_FIELDS: dict[str, Callable[[Resource[Any]], str]] = {
    "metadata.name": lambda resource: resource.name,
    "metadata.namespace": lambda resource: resource.namespace,
}


def parse_label_selector(text: str) -> Predicate:
    """Raises RequestError."""
    predicates = [_parse_label(part) for part in _COMMA.split(text) if part.strip()]
    return lambda resource: all(predicate(resource.metadata.labels) for predicate in predicates)


def parse_field_selector(text: str) -> Predicate:
    """Equality of name and namespace. Raises RequestError."""
    predicates = [_parse_field(part) for part in text.split(",") if part.strip()]
    return lambda resource: all(predicate(resource) for predicate in predicates)


def _parse_label(text: str) -> _LabelPredicate:
    if match := _SET.fullmatch(text):
        return _in_set(match[1], frozenset(value.strip() for value in match[3].split(",")), match[2] == "in")
    if match := _EQUAL.fullmatch(text):
        return _in_set(match[1], frozenset((match[3],)), match[2] != "!=")
    if match := _EXISTS.fullmatch(text):
        return _exists(match[2], match[1] != "!")
    raise RequestError(f"labelSelector: {text.strip()!r} is not understood")


def _in_set(key: str, values: frozenset[str], wanted: bool) -> _LabelPredicate:
    # An absent label is in no set, and so satisfies != and notin.
    return lambda labels: (key in labels and labels[key] in values) == wanted


def _exists(key: str, wanted: bool) -> _LabelPredicate:
    return lambda labels: (key in labels) == wanted


def _parse_field(text: str) -> Predicate:
    match = re.fullmatch(r"\s*([a-zA-Z.]+)\s*(==?|!=)\s*(\S*)\s*", text)
    if match is None or match[1] not in _FIELDS:
        raise RequestError(
            f"fieldSelector: {text.strip()!r} is not understood; use metadata.name or metadata.namespace"
        )
    read, value, wanted = _FIELDS[match[1]], match[3], match[2] != "!="
    return lambda resource: (read(resource) == value) == wanted
