"""What learns of a connection by what its filter chain is chosen."""

from typing import Any

from pymesh.control.translate.type_urls import (
    HTTP_INSPECTOR,
    HTTP_INSPECTOR_FILTER,
    ORIGINAL_DST,
    ORIGINAL_DST_FILTER,
    TLS_INSPECTOR,
    TLS_INSPECTOR_FILTER,
)

TLS_INSPECTION: dict[str, Any] = {"name": TLS_INSPECTOR_FILTER, "typed_config": {"@type": TLS_INSPECTOR}}
HTTP_INSPECTION: dict[str, Any] = {"name": HTTP_INSPECTOR_FILTER, "typed_config": {"@type": HTTP_INSPECTOR}}
# Says where a redirected connection was going; whoever has it keeps the connection.
ORIGINAL_DESTINATION: dict[str, Any] = {"name": ORIGINAL_DST_FILTER, "typed_config": {"@type": ORIGINAL_DST}}
