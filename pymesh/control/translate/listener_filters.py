"""What looks at the first bytes of a connection, so that a filter chain can be chosen."""

from typing import Any

from pymesh.control.translate.type_urls import (
    HTTP_INSPECTOR,
    HTTP_INSPECTOR_FILTER,
    TLS_INSPECTOR,
    TLS_INSPECTOR_FILTER,
)

TLS_INSPECTION: dict[str, Any] = {"name": TLS_INSPECTOR_FILTER, "typed_config": {"@type": TLS_INSPECTOR}}
HTTP_INSPECTION: dict[str, Any] = {"name": HTTP_INSPECTOR_FILTER, "typed_config": {"@type": HTTP_INSPECTOR}}
