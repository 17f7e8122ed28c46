"""Which providers get a workload's access logs: what Telemetries say, level by level.

Istio: mergeLogs in pilot/pkg/model/telemetry.go.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from pymesh.control.model.telemetry import AccessLogging, Telemetry

# Of a sidecar, what its application sends is the client's side; a gateway is a client of what is behind it.
Mode = Literal["CLIENT", "SERVER"]


class LogProviders(NamedTuple):
    """`names` in order. `is_disabled`: some level has said so, and nothing else may take the place of what it switched
    off. `filters`: for some of the names, the expression that is true of what is logged."""

    names: tuple[str, ...]
    is_disabled: bool = False
    filters: tuple[tuple[str, str], ...] = ()

    def expression(self, name: str) -> str:
        return dict(self.filters).get(name, "")


def log_providers(levels: Sequence[Telemetry], defaults: tuple[str, ...], mode: Mode) -> LogProviders:
    """`levels` from the mesh down to the workload; `defaults` are MeshConfig's providers.

    The lowest level that names providers says which there may be; an entry that names none is for those of the entry
    before it. A provider's filter is that of the last entry that names it; one of an entry that names none, which
    istiod passes over, is for those of the entry before it, too.
    """
    said = [level.access_logging for level in levels if level.access_logging]
    if not said:
        return LogProviders(defaults)
    in_scope = _lowest_named(said, mode) or defaults
    enabled: dict[str, bool] = {}
    filters: dict[str, str] = {}
    names = defaults
    for entry in (entry for entries in said for entry in entries):
        names = _names(entry) or names
        if _is_for(entry, mode):
            enabled |= {name: not entry.disabled for name in names if name in in_scope}
            if entry.providers or entry.filter is not None:
                filters |= dict.fromkeys(names, entry.filter.expression if entry.filter is not None else "")
    chosen = tuple(name for name, is_enabled in enabled.items() if is_enabled)
    conditions = tuple((name, filters[name]) for name in chosen if filters.get(name))
    return LogProviders(chosen, not all(enabled.values()), conditions)


def _lowest_named(said: Sequence[tuple[AccessLogging, ...]], mode: Mode) -> tuple[str, ...]:
    for entries in reversed(said):
        named = tuple(name for entry in entries if _is_for(entry, mode) for name in _names(entry))
        if named:
            return named
    return ()


def _names(entry: AccessLogging) -> tuple[str, ...]:
    return tuple(provider.name for provider in entry.providers)


def _is_for(entry: AccessLogging, mode: Mode) -> bool:
    return entry.match is None or entry.match.mode in (mode, "CLIENT_AND_SERVER")
