"""envoy.config.accesslog.v3.AccessLog, decoded: files only, with no filter but an expression.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/access_loggers/file/v3/file.proto
"""

import json
from dataclasses import dataclass

from pymesh.access_log_operators import check_json_format, check_text_format
from pymesh.cel import check_expression
from pymesh.protojson import Reader

TYPE_URL = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog"
EXPRESSION_FILTER = "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter"


@dataclass(frozen=True, slots=True)
class AccessLogConfig:
    """One of `text_format` and `json_format`, a JSON object as text, is set. `expression`: in CEL, and true of all that
    is logged; empty for no condition."""

    path: str
    text_format: str = ""
    json_format: str = ""
    omits_empty_values: bool = False
    expression: str = ""


def decode_access_logs(reader: Reader) -> tuple[AccessLogConfig, ...]:
    """Of the field `access_log`. Raises DecodeError."""
    return tuple(_decode(item) for item in reader.objects("access_log"))


def _decode(reader: Reader) -> AccessLogConfig:
    reader.ignore("name")
    type_url, config = reader.any("typed_config") or reader.fail("typed_config", "is required")
    if type_url != TYPE_URL:
        config.fail("@type", f"{type_url} is not an access logger of this proxy")
    config.ignore("@type")
    path, log_format = config.required_string("path"), config.required_object("log_format")
    log_format.ignore("json_format_options")
    if log_format.oneof("text_format_source", "json_format") is None:
        log_format.fail("format", "one of text_format_source and json_format is required")
    text, json_format = _decode_text(log_format), _decode_json(log_format)
    return AccessLogConfig(path, text, json_format, log_format.boolean("omit_empty_values"), _decode_filter(reader))


def _decode_filter(reader: Reader) -> str:
    chosen = reader.object("filter")
    if chosen is None:
        return ""
    extension = chosen.required_object("extension_filter")
    extension.ignore("name")
    type_url, config = extension.any("typed_config") or extension.fail("typed_config", "is required")
    if type_url != EXPRESSION_FILTER:
        config.fail("@type", f"{type_url} is not an access log filter of this proxy")
    config.ignore("@type")
    expression = config.required_string("expression")
    try:
        check_expression(expression)
    except ValueError as error:
        config.fail("expression", str(error))
    return expression


def _decode_text(reader: Reader) -> str:
    source = reader.object("text_format_source")
    if source is None:
        return ""
    text = source.required_string("inline_string")
    try:
        check_text_format(text)
    except ValueError as error:
        source.fail("inline_string", str(error))
    return text


def _decode_json(reader: Reader) -> str:
    if "json_format" not in reader:
        return ""
    fields = reader.map("json_format")
    try:
        check_json_format(fields)
    except ValueError as error:
        reader.fail("json_format", str(error))
    return json.dumps(fields, sort_keys=True)
