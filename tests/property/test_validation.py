"""Whatever an object says, the answer is a resource or a list of violations, and never another exception."""

import types
from collections.abc import Callable
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pymesh.control.model.kinds import KINDS, Kind
from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.model.mesh_config_decoder import decode_mesh_config
from pymesh.control.model.messages import Message
from pymesh.control.model.serializer import decode_with_warnings
from pymesh.errors import ValidationError, Violation

_WORDS = st.sampled_from(
    [
        *(
            "",
            "*",
            ".",
            "~",
            "/",
            "a",
            "A_b",
            "a.b.c",
            "*.a.com",
            "a/b",
            "a/b/c",
            "./*",
            "*/*",
            "~ns/a.com",
            "\0",
            "\n",
            "²",
            "٣",
            "é" * 300,
        ),
        *(
            "10.0.0.1",
            "10.0.0.0/8",
            "::1",
            "fe80::1%eth0",
            "[::1]:80",
            "127.0.0.1:99999",
            "unix://",
            "unix:///a",
            "unix://@",
        ),
        *(
            "http://",
            "http://[",
            "https://a:b",
            "oci://a",
            "{*}",
            "/{**}/{*}",
            "{",
            "%REQ(",
            "%%",
            "50%",
            "\\9",
            "(",
            "(?=a)",
            "a{1001}",
        ),
        *("1s", "-1s", "1e400s", "9" * 400, "0s", "1.5ms", "0", "65536", "-1", "NaN", "=", "+1", "١"),
        *(
            "request.headers[",
            "request.auth.claims[a]",
            "source.ip",
            "@request.auth.claims[a]",
            "host",
            ":authority",
            "Set-Cookie",
        ),
        *(
            '{"keys": [{"kty": "RSA", "n": "", "e": 1}]}',
            '{"keys": [{"kty": "EC", "crv": {}}]}',
            '{"keys": [[]]}',
            "[[",
            "1",
            "null",
        ),
        *("HTTP", "http", "TLS", "UDP", "TLSV1_0", "5xx,,٣", "us/*", "us/a/b/c", "-----BEGIN CERTIFICATE-----"),
    ]
)
_NUMBERS = st.sampled_from([0, 1, -1, 80, 65535, 65536, 2**31, 2**64, 10**400, 0.5, 1e308, -0.0, 100.00001])
_ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), _NUMBERS, _WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(_WORDS, inner, max_size=2)),
    max_leaves=4,
)


@cache
def _value(kind: Any) -> st.SearchStrategy[Any]:
    """Values that are mostly of the type, so that the rules behind the types are reached."""
    right = _right(kind)
    return st.integers(0, 19).flatmap(lambda chance: _ANYTHING if chance == 0 else right)


def _right(kind: Any) -> st.SearchStrategy[Any]:
    if isinstance(kind, type) and issubclass(kind, Message):
        return st.deferred(lambda: _message(kind))
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(_value(arguments[0]), max_size=3)
    if origin is dict:
        return st.dictionaries(_WORDS, _value(arguments[1]), max_size=2)
    if origin in (Union, types.UnionType):
        return st.one_of([_value(one) for one in arguments if one is not types.NoneType])
    scalars: dict[Any, st.SearchStrategy[Any]] = {str: _WORDS, bool: st.booleans(), int: _NUMBERS, float: _NUMBERS}
    return scalars.get(kind, _ANYTHING)


@cache
def _message(kind: type[Message]) -> st.SearchStrategy[dict[str, Any]]:
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    if not fields:
        return st.just({})
    return st.lists(st.sampled_from(sorted(fields)), max_size=5, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: _value(fields[name]) for name in names})
    )


def _violations_of(decode: Callable[..., object], fields: Any, **options: str) -> tuple[Violation, ...]:
    try:
        decode(fields, **options)
    except ValidationError as error:
        return error.violations
    return ()


def _settings(examples: int) -> Any:
    return settings(
        max_examples=examples, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@_settings(100)
@given(data=st.data())
def test_any_spec_is_a_resource_or_violations(kind: Kind, data: st.DataObject) -> None:
    spec = data.draw(_value(kind.spec_type))
    metadata = data.draw(
        st.fixed_dictionaries({"name": st.just("x")}, optional={"labels": _ANYTHING, "namespace": _WORDS})
    )
    envelope = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata}
    fields = {**spec, **envelope} if kind.is_inline and isinstance(spec, dict) else {**envelope, "spec": spec}
    for field_validation in ("Strict", "Warn"):
        violations = _violations_of(decode_with_warnings, fields, field_validation=field_validation)
        assert all(violation.path and violation.message for violation in violations)


@_settings(150)
@given(_value(MeshConfig))
def test_any_mesh_config_is_one_or_violations(fields: Any) -> None:
    violations = _violations_of(decode_mesh_config, fields)
    assert all(violation.path and violation.message for violation in violations)
