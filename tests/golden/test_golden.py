"""Istio's YAML in, xDS out."""

from typing import Any

from pymesh.control.translate.config_source import CONFIG_SOURCE
from pymesh.xds import SHORT_NAMES


def test_translation_is_as_recorded(case, compare_golden):
    resources = case.build()
    told = {SHORT_NAMES[type_url]: found for type_url, found in resources.items() if found}
    compare_golden(case.golden, _folded({noun: found for noun, found in told.items() if noun in case.types}))


def _folded(value: Any) -> Any:
    """The one config source is everywhere, and always the same: its name is enough."""
    if value == CONFIG_SOURCE:
        return "CONFIG_SOURCE"
    if isinstance(value, list):
        return [_folded(item) for item in value]
    return {key: _folded(item) for key, item in value.items()} if isinstance(value, dict) else value
