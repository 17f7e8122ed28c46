"""The cases, by subject: each module has a tuple CASES."""

from oracle.cases import framing
from oracle.script import Case

MODULES = (framing,)
CASES: tuple[Case, ...] = tuple(case for module in MODULES for case in module.CASES)
