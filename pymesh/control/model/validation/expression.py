"""Rules of CEL expressions: what no proxy could evaluate is refused here."""

from pymesh import cel
from pymesh.control.model.scope import Scope


def check_expression(text: str, attributes: cel.Attributes, at: Scope) -> None:
    if not text.strip():
        at.fail("is required")
        return
    try:
        cel.check_expression(text, attributes)
    except ValueError as error:
        at.fail(str(error))


def check_syntax(text: str, attributes: cel.Attributes, at: Scope) -> None:
    """Istio takes what nobody declared: a warning here."""
    try:
        cel.compile_expression(text, attributes)
    except ValueError as error:
        at.fail(str(error))
        return
    try:
        cel.check_expression(text, attributes)
    except ValueError as error:
        at.warn(f"{error}: the label will be `unknown`")
