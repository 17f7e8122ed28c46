"""The cases, by subject: each module has a tuple CASES."""

from oracle.cases import envoy_headers, framing, retries, streaming, timeouts, upgrades
from oracle.script import Case

MODULES = (framing, envoy_headers, retries, timeouts, streaming, upgrades)
CASES: tuple[Case, ...] = tuple(case for module in MODULES for case in module.CASES)
