"""The cases, by subject: each module has a tuple CASES."""

from oracle.cases import (
    broken_servers,
    clusters,
    envoy_headers,
    framing,
    headers,
    hostile,
    interim,
    paths,
    retries,
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
    headers,
    envoy_headers,
    paths,
    timeouts,
    retries,
    upgrades,
)
CASES: tuple[Case, ...] = tuple(case for module in MODULES for case in module.CASES)
