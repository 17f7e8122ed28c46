"""Rules of access log formats: what no proxy could compile is refused here."""

from typing import Any

from pymesh import access_log_operators
from pymesh.control.model.document import DocumentError, read_json
from pymesh.control.model.scope import Scope


def check_text_format(text: str, at: Scope) -> None:
    try:
        access_log_operators.check_text_format(text)
    except ValueError as error:
        at.fail(str(error))


def check_json_format(fields: Any, at: Scope) -> None:
    try:
        access_log_operators.check_json_format(fields)
    except ValueError as error:
        at.fail(str(error))


def check_encoded_json_format(text: str, at: Scope) -> None:
    try:
        fields = read_json(text)
    except DocumentError as error:
        at.fail(f"must be a JSON object, as accessLogEncoding is JSON: {error}")
        return
    at.require(isinstance(fields, dict), "must be a JSON object, as accessLogEncoding is JSON")
    check_json_format(fields, at)
