"""The cases, by subject: each module has a tuple CASES."""

from oracle.cases import (
    balancing,
    broken_servers,
    clusters,
    cors,
    envoy_headers,
    faults,
    framing,
    header_changes,
    headers,
    hostile,
    interim,
    matching,
    mesh_config,
    paths,
    retries,
    security,
    streaming,
    timeouts,
    upgrades,
    versions,
)
from oracle.script import Case

MODULES = (
    framing,
    streaming,
    interim,
    versions,
    hostile,
    broken_servers,
    clusters,
    balancing,
    headers,
    header_changes,
    envoy_headers,
    matching,
    mesh_config,
    paths,
    timeouts,
    retries,
    security,
    faults,
    cors,
    upgrades,
)
CASES: tuple[Case, ...] = tuple(case for module in MODULES for case in module.CASES)
