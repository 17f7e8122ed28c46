"""Objects of each kind that are valid, to be broken by tests."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from pymesh.control.model.kinds import Kind, kind_named
from pymesh.control.model.message_decoder import decode_message
from pymesh.control.model.resource import Metadata, Resource
from pymesh.control.model.scope import Notes, Scope
from pymesh.control.model.serializer import decode
from pymesh.control.model.validation.resource import validate
from pymesh.errors import ValidationError, Violation

Refuse = Callable[[str, str], list[str]]
Check = Callable[[str, str], tuple[list[str], list[str]]]


def decode_spec(kind: Kind, text: str) -> Any:
    fields = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": {"name": "x", "namespace": "ns"}}
    spec = yaml.safe_load(text)
    return decode({**fields, **(spec if kind.is_inline else {"spec": spec})})


@pytest.fixture
def accept() -> Callable[[str, str], Any]:
    """The typed spec of a kind's short name and its YAML, which must be valid."""

    def run(word: str, text: str) -> Any:
        kind = kind_named(word)
        assert kind is not None
        return decode_spec(kind, text).spec

    return run


@pytest.fixture
def refuse() -> Refuse:
    """The violations of a kind's short name and the YAML of its spec, `spec.` cut off; empty if it is valid."""

    def run(word: str, text: str) -> list[str]:
        kind = kind_named(word)
        assert kind is not None
        try:
            decode_spec(kind, text)
        except ValidationError as error:
            return [str(violation).removeprefix("spec.") for violation in error.violations]
        return []

    return run


@pytest.fixture
def check() -> Check:
    """The violations and the warnings of a kind's short name and the YAML of its spec, be it in force or not."""

    def run(word: str, text: str) -> tuple[list[str], list[str]]:
        kind = kind_named(word)
        assert kind is not None
        namespace = "ns" if kind.is_namespaced else ""
        at = Scope("" if kind.is_inline else "spec")
        spec = decode_message(kind.spec_type, yaml.safe_load(text), at)
        resource = Resource(kind=kind, metadata=Metadata(name="x", namespace=namespace), spec=spec)
        found = Notes() if at.violations else validate(resource)
        violations = [one for one in (*at.violations, *found.violations) if "does not implement" not in one.message]
        return [_short(one) for one in violations], [_short(one) for one in found.warnings]

    return run


def _short(note: Violation) -> str:
    return str(note).removeprefix("spec.")
