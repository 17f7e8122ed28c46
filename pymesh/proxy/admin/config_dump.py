"""/config_dump: every resource that the proxy obeys, as the control plane sent it, without anybody's private key."""

from typing import Any

from pymesh.proxy.xds.disk_cache import HeldResources
from pymesh.xds import SHORT_NAMES, TYPES, DeltaResource

_SECRET_FIELDS = frozenset({"private_key", "private_key_provider", "password", "session_ticket_keys", "generic_secret"})
_REDACTED = "[redacted]"  # Envoy's word


def build_config_dump(held: HeldResources, rejected: dict[str, dict[str, str]]) -> dict[str, Any]:
    return {"configs": [_dump_type(type_url, held[type_url], rejected[type_url]) for type_url in TYPES]}


def redact(value: Any) -> Any:
    """A copy of a JSON value in which no field is a secret."""
    if isinstance(value, dict):
        return {key: _REDACTED if key in _SECRET_FIELDS else redact(item) for key, item in value.items()}
    if isinstance(value, list):
        return [redact(item) for item in value]
    return value


def _dump_type(type_url: str, resources: dict[str, DeltaResource], rejected: dict[str, str]) -> dict[str, Any]:
    return {
        "type_url": type_url,
        "name": SHORT_NAMES[type_url],
        "resources": [
            {"name": r.name, "version": r.version, "resource": redact(r.resource)} for r in resources.values()
        ],
        "rejected": rejected,
    }
